import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createTask } from '../api/client.ts';
import { startStandingGateway } from '../submitting/standing-gateway.ts';
import { staysPending, deferred } from '../kit/waits.ts';
import { CREATE, TASKS_UPDATED, TASK_UPDATED, input } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { HMAC_KEY, startGateway } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created, callbackSuccess, deliverCallback, sign } from '../kit/kie.ts';
import { openSse } from '../kit/sse.ts';
import { DOORS } from './doors.ts';
import { eventually } from './eventually.ts';
import { startHeldGateway } from './held-gateway.ts';
import { addTask } from './stored-tasks.ts';

describe('when the gateway stops', () => {
  test('sockets are closed with 1001, event streams end, and nothing is left', async () => {
    const { gateway, store } = await startHeldGateway();
    const { id } = await addTask(store);
    const client = await openGraphqlWs(gateway.graphqlUrl);
    const quiet = await openGraphqlWs(gateway.graphqlUrl, { init: false });
    const watch = client.subscribe({ query: TASK_UPDATED, variables: { id } });
    await watch.next();
    const stream = await openSse(gateway.graphqlUrl, { query: TASKS_UPDATED, variables: { after: 0 } });
    await stream.next();

    await gateway.close();
    expect([(await client.closed).code, (await quiet.closed).code]).toEqual([1001, 1001]);
    // Not as if it were complete: its client is to come back.
    await expect(stream.completed()).rejects.toThrow('ended with its connection');
    await expect(watch.completed()).rejects.toThrow('1001');
    expect(gateway.app.stats()).toEqual({ sockets: 0, listeners: 0 });
    await expect(openGraphqlWs(gateway.graphqlUrl)).rejects.toThrow('ECONNREFUSED');
  });

  test('hundreds of sockets are closed, each with 1001', async () => {
    const { gateway } = await startHeldGateway();
    const clients = await Promise.all(Array.from({ length: 250 }, () => openGraphqlWs(gateway.graphqlUrl)));
    await gateway.close();
    const codes = await Promise.all(clients.map(({ closed }) => closed));
    expect(new Set(codes.map(({ code }) => code))).toEqual(new Set([1001]));
  });

  test('a connection over which nothing ever came, as browsers open them ahead of need, does not hold it up', async () => {
    const gateway = await startGateway({ provider: await startFakeProvider() });
    const silent = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    await once(silent, 'connect');
    // Connections are taken in their order: this answer means that the silent one was taken as well.
    await graphql(gateway.graphqlUrl, '{ __typename }');
    const ended = once(silent, 'close');
    await gateway.close();
    await ended;
    // Not a bound for what hangs: after half a minute Node would end it by itself.
  }, 20_000);

  test('a socket that does not answer the close is cut', async () => {
    const { gateway, store } = await startHeldGateway();
    await addTask(store);
    const deaf = await openGraphqlWs(gateway.graphqlUrl);
    deaf.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });
    deaf.pause();
    await gateway.close();
    expect(gateway.app.stats()).toEqual({ sockets: 0, listeners: 0 });
    // As above: ws would cut it by itself.
  }, 20_000);

  test.each(DOORS)(
    'a subscription over $name that is still being begun does not hold it up',
    async ({ begin }) => {
      const { gateway, held, store } = await startHeldGateway();
      const { id } = await addTask(store);
      const hold = held.holdAnswer('find');
      await begin(gateway.graphqlUrl, { query: TASK_UPDATED, variables: { id } });
      await hold.reached;
      const closed = gateway.close();
      hold.release();
      await closed;
      await eventually('no listener is left', () => gateway.app.stats().listeners === 0);
    },
  );

  test('a mutation that waits over HTTP is answered with a task that is SUBMITTING', async () => {
    const { gate, gateway, provider } = await startWithWaitingCreate();
    const answer = graphql(gateway.graphqlUrl, CREATE, { input: input() });
    await provider.received('createTask');
    const closed = gateway.close();
    expect(dataOf((await answer).body).createImageToVideo).toMatchObject({
      __typename: 'CreateImageToVideoSuccess',
      task: { state: 'SUBMITTING', providerTaskId: null },
    });
    gate.resolve();
    await closed;
  });

  test('a mutation that waits over WebSocket is answered with a task that is SUBMITTING, then comes 1001', async () => {
    const { gate, gateway, provider } = await startWithWaitingCreate();
    const client = await openGraphqlWs(gateway.graphqlUrl);
    const create = client.subscribe({ query: CREATE, variables: { input: input() } });
    await provider.received('createTask');
    const closed = gateway.close();
    expect((await create.data()).createImageToVideo).toMatchObject({
      __typename: 'CreateImageToVideoSuccess',
      task: { state: 'SUBMITTING', providerTaskId: null },
    });
    expect((await client.closed).code).toBe(1001);
    gate.resolve();
    await closed;
  });

  test('it says so at /ready first, and goes on serving for DRAIN_DELAY_MS', async () => {
    const provider = await startFakeProvider();
    provider.answer('createTask', created('kie-1'));
    const gateway = await startStandingGateway({ provider, env: { DRAIN_DELAY_MS: '5000' } });
    const ready = async (): Promise<number> => (await fetch(`${gateway.url}/ready`)).status;
    const client = await openGraphqlWs(gateway.graphqlUrl);
    expect(await ready()).toBe(200);
    const closed = gateway.close();
    expect(await ready()).toBe(503);
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
    const task = await createTask(gateway);
    expect(task.state).toBe('WAITING');
    await openGraphqlWs(gateway.graphqlUrl);
    const watch = client.subscribe({ query: TASK_UPDATED, variables: { id: task.id } });
    expect((await watch.data()).taskUpdated.id).toBe(task.id);
    gateway.clock.advance(4999);
    await staysPending(closed);
    gateway.clock.advance(1);
    await closed;
    expect((await client.closed).code).toBe(1001);
  });

  test('closing twice is closing once', async () => {
    const { gateway } = await startHeldGateway();
    await Promise.all([gateway.close(), gateway.close()]);
    await gateway.close();
  });
});

describe.each(DOORS)('a gateway that is started again on the same data, over $name,', ({ subscribe }) => {
  test('goes on where its clients were: with `after` they miss nothing and see nothing twice', async () => {
    const provider = await startFakeProvider();
    const before = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'), created('kie-2'));
    for (let count = 0; count < 2; count += 1) await graphql(before.graphqlUrl, CREATE, { input: input() });
    const creates = [await provider.received('createTask'), await provider.received('createTask')];

    const { graphqlUrl } = before;
    const stream = await subscribe(graphqlUrl, { query: TASKS_UPDATED, variables: { after: 0 } });
    const first = (await stream.data()).tasksUpdated;
    // The second one is not read: the client saw the first, no more.
    await before.close();

    const after = await startGateway({ provider, dataDir: before.dataDir });
    const again = await subscribe(after.graphqlUrl, {
      query: TASKS_UPDATED,
      variables: { after: first.revision },
    });
    const second = (await again.data()).tasksUpdated;
    expect(second.id).not.toBe(first.id);
    expect(second.revision).toBeGreaterThan(first.revision);

    const one = await subscribe(after.graphqlUrl, {
      query: TASK_UPDATED,
      variables: { id: first.id, after: first.revision },
    });
    const create = creates.find(({ order }) => order === Number(first.providerTaskId?.at(-1)));
    if (!create) throw new Error('The provider was not asked for the first task');
    const kieId = first.providerTaskId ?? '';
    await deliverCallback(after.callbackUrl(create), callbackSuccess(kieId), sign(HMAC_KEY, kieId));
    const { taskUpdated } = await one.data();
    expect(taskUpdated).toMatchObject({ id: first.id, state: 'SUCCESS' });
    await one.completed();
    expect((await again.data()).tasksUpdated).toEqual(taskUpdated);
  });
});

/** A gateway whose mutations wait for the provider for as long as they may, and a provider that keeps them waiting. */
async function startWithWaitingCreate() {
  const provider = await startFakeProvider();
  const gate = deferred();
  provider.answer('createTask', { ...created('kie-1'), gate: gate.promise });
  const gateway = await startGateway({ provider, env: { CREATE_WAIT_MS: '3600000' } });
  return { gate, gateway, provider };
}
