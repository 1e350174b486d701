import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { TaskPorts } from '../../src/tasks/ports.ts';
import { create, createTask, findTask } from '../api/client.ts';
import { createClient } from '../providers/kie-client.ts';
import { TASK_UPDATED } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created, notVisibleYet, succeeded } from '../kit/kie.ts';
import { onTestEnd, createQueue } from '../kit/waits.ts';

/** Everything that is tried again is tried soon. */
const timings = {
  resendFirstMin: 20,
  resendFirstMax: 30,
  resendMax: 50,
  idleLook: 20,
  checkIntervalMin: 20,
  checkIntervalMax: 20,
  queriesPerSecond: 1000,
  createsPerWindow: 1000,
};

const LONG = { createTimeoutMs: 10_000, queryTimeoutMs: 10_000 };

/** Gives the gateway a client that tries a provider which is away every `breakerRetryMs`. */
function retrying(apiUrl: string, breakerRetryMs: number) {
  return (ports: TaskPorts): TaskPorts => {
    const { log, provider } = ports;
    const kie = createClient(apiUrl, { ...LONG, breakerRetryMs, log, limits: provider.limits });
    return { ...ports, provider: kie };
  };
}

/** Fulfilled when the task is seen in this state. */
async function reaches(gateway: Gateway, id: string, wanted: string): Promise<void> {
  const socket = await openGraphqlWs(gateway.graphqlUrl);
  const watch = socket.subscribe({ query: TASK_UPDATED, variables: { id } });
  while ((await watch.data()).taskUpdated.state !== wanted);
}

describe('during an outage of the provider', () => {
  test('mutations are answered within CREATE_WAIT_MS, and their tasks are sent afterwards', async () => {
    const before = await startFakeProvider();
    const { port, url } = before;
    await before.close();
    const gateway = await startGateway({
      provider: before,
      env: { CREATE_WAIT_MS: '100' },
      overrides: { timings, wrap: retrying(url, 50) },
    });
    const wishes = Array.from({ length: 10 }, (_, wish) => createTask(gateway, { prompt: `wish ${wish}` }));
    const tasks = await Promise.all(wishes);
    expect(tasks.map(({ state }) => state)).toEqual(Array(10).fill('SUBMITTING'));

    const provider = await startFakeProvider({ port });
    provider.always('createTask', () => created(`kie-${provider.requests('createTask').length}`));
    provider.always('recordInfo', notVisibleYet());
    await Promise.all(tasks.map(({ id }) => reaches(gateway, id, 'WAITING')));
    expect(provider.requests('createTask')).toHaveLength(10);
  });

  test('queries are held back after five consecutive failures, and continue afterwards', async () => {
    const provider = await startFakeProvider();
    provider.answer('createTask', created('kie-1'));
    provider.always('recordInfo', notVisibleYet());
    const { port, url } = provider;
    const gateway = await startGateway({ provider, overrides: { timings, wrap: retrying(url, 200) } });
    const { id } = await createTask(gateway);
    await provider.received('recordInfo');
    await provider.close();

    const cut = await startCutter(port);
    // Five that fail, and from then on one at a time, a fifth of a second apart.
    for (let call = 0; call < 5; call += 1) await cut.connected();
    const since = performance.now();
    for (let call = 0; call < 3; call += 1) await cut.connected();
    expect(performance.now() - since).toBeGreaterThan(400);
    await cut.close();

    const again = await startFakeProvider({ port });
    again.always('recordInfo', succeeded('kie-1'));
    await reaches(gateway, id, 'SUCCESS');
  });

  test('reads and retries of mutations are answered as usual', async () => {
    const provider = await startFakeProvider();
    provider.answer('createTask', created('kie-1'));
    provider.always('recordInfo', notVisibleYet());
    const gateway = await startGateway({ provider, overrides: { timings } });
    const task = await createTask(gateway, { idempotencyKey: 'one' });
    await provider.close();
    expect(await findTask(gateway, 'kie-1')).toEqual(task);
    expect(await create(gateway, { idempotencyKey: 'one' })).toMatchObject({ task });
  });
});

/** Listens where the provider was, and cuts every connection. */
async function startCutter(port: number) {
  const connections = createQueue<AddressInfo | object>('a connection');
  const server = createServer((socket) => {
    connections.push(socket.address());
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => {
        resolve();
      });
    });
  onTestEnd(close);
  return { connected: () => connections.take(), close };
}
