import { describe, expect, it } from 'vitest';
import { ACCOUNT, TASKS, TASKS_UPDATED, TASK_UPDATED } from '../kit/documents.ts';
import { HMAC_KEY, startGateway, type Gateway } from '../kit/gateway.ts';
import { dataOf, graphql, type GraphqlResult } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import {
  callbackFail,
  callbackSuccess,
  createBody,
  created,
  credit,
  deliverCallback,
  refused,
  sign,
} from '../kit/kie.ts';
import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { createSseParser } from '../kit/sse.ts';
import { deferred, staysPending } from '../kit/waits.ts';
import { startStandingGateway } from '../submitting/standing-gateway.ts';
import { create, createTask, errorOf, findTask, idsOf, listTasks, taskIdOf, taskOf } from './client.ts';

/** A gateway whose provider accepts everything at once, under a name made of the prompt. */
async function startEager(): Promise<{ provider: FakeProvider; gateway: Gateway }> {
  const provider = await startFakeProvider();
  provider.always('createTask', (request) => created(`kie-${createBody(request).input.prompt}`));
  return { provider, gateway: await startGateway({ provider, env: { KIE_CREATES_PER_10S: '1000' } }) };
}

/** So many tasks, one after the other; the oldest first. */
async function createTasks(gateway: Gateway, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 1; n <= count; n += 1) ids.push((await createTask(gateway, { prompt: String(n) })).id);
  return ids;
}

describe('task(id)', () => {
  it('finds a task by our id and by the id of the provider, and nothing by any other text', async () => {
    const { gateway } = await startEager();
    for (const prompt of ['1', '2']) {
      const task = await createTask(gateway, { prompt });
      for (const id of [task.id, `kie-${prompt}`]) expect(await findTask(gateway, id)).toEqual(task);
      for (const id of [`${task.id}\0`, `kie-${prompt}\0`]) expect(await findTask(gateway, id)).toBeNull();
    }
    const unknown = '00000000-0000-4000-8000-000000000000';
    for (const id of [unknown, '', '\0', '\ud83d', 'x'.repeat(100_000), "' OR 1=1 --"])
      expect(await findTask(gateway, id)).toBeNull();
  });

  it.each([
    ['until its outcome is known', created('kie-1')],
    ['for ever when the provider refuses it', refused(402, 'Insufficient credits')],
  ])('and every other read show nothing of a task %s, and it takes no revision', async (_, outcome) => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    const gate = deferred();
    provider.answer('createTask', { ...outcome, gate: gate.promise }, created('kie-2'));
    const socket = await openGraphqlWs(gateway.graphqlUrl);
    const all = socket.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });
    const mutation = create(gateway);
    const id = taskIdOf(await provider.received('createTask'));
    const expectHidden = async (): Promise<void> => {
      for (const name of [id, 'kie-1']) {
        expect(await findTask(gateway, name)).toBeNull();
        const stream = socket.subscribe({ query: TASK_UPDATED, variables: { id: name } });
        expect((await stream.next()).errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
        await stream.completed();
      }
      for (const states of [[], ['SUBMITTING'], ['FAIL']])
        expect(await listTasks(gateway, { states })).toMatchObject({ edges: [], revision: 0 });
    };
    await expectHidden();
    gate.resolve();
    let result = await mutation;
    if (result.__typename === 'ProviderError') {
      await expectHidden();
      result = await create(gateway);
    }
    const task = taskOf(result);
    expect(task).toMatchObject({ state: 'WAITING', revision: 1 });
    // Whatever was published before would come first.
    expect((await all.data()).tasksUpdated).toEqual(task);
    const { edges, revision } = await listTasks(gateway);
    expect([edges.map(({ node }) => node), revision]).toEqual([[task], 1]);
  });
});

describe('tasks', () => {
  it('shows each of 130 tasks once and in order, whatever is created meanwhile', async () => {
    const { gateway } = await startEager();
    const prompts = Array.from({ length: 130 }, (_, n) => String(n));
    const tasks = await Promise.all(prompts.map((prompt) => createTask(gateway, { prompt })));
    const seen: { id: string; createdAt: string }[] = [];
    let after: string | null = null;
    let pages = 0;
    do {
      const page = await listTasks(gateway, { first: 40, after });
      seen.push(...page.edges.map(({ node }) => node));
      expect(page.pageInfo.hasPreviousPage).toBe(pages > 0);
      after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
      pages += 1;
      await Promise.all([1, 2, 3].map((n) => createTask(gateway, { prompt: `late-${pages}-${n}` })));
    } while (after !== null);
    expect([pages, seen.length]).toEqual([4, 130]);
    expect(new Set(seen.map(({ id }) => id))).toEqual(new Set(tasks.map(({ id }) => id)));
    const times = seen.map(({ createdAt }) => createdAt);
    expect(times).toEqual(times.toSorted().toReversed());
    // 20 unless asked, and at most 100.
    for (const args of [{}, { first: null }, { first: 20 }])
      expect((await listTasks(gateway, args)).edges).toHaveLength(20);
    expect((await listTasks(gateway, { first: 100 })).edges).toHaveLength(100);
    const [newest] = (await listTasks(gateway, { first: 1 })).edges;
    expect(newest?.node.prompt).toMatch(/^late-4-/);
  });

  it('shows the newest first, where a page begins and ends, and whether there are others before and after it', async () => {
    const { gateway } = await startEager();
    expect(await listTasks(gateway)).toEqual({
      edges: [],
      pageInfo: { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null },
      revision: 0,
    });
    const newest = (await createTasks(gateway, 3)).reverse();
    const { edges, pageInfo } = await listTasks(gateway, { first: 3 });
    const [startCursor, , endCursor] = edges.map(({ cursor }) => cursor);
    expect(pageInfo).toEqual({ hasNextPage: false, hasPreviousPage: false, startCursor, endCursor });
    for (const [place, { cursor, node }] of edges.entries()) {
      expect(await findTask(gateway, node.id)).toEqual(node);
      const rest = await listTasks(gateway, { after: cursor });
      expect(idsOf(rest)).toEqual(newest.slice(place + 1));
      expect(rest.pageInfo).toEqual({
        hasNextPage: false,
        hasPreviousPage: true,
        startCursor: edges[place + 1]?.cursor ?? null,
        endCursor: place < 2 ? endCursor : null,
      });
    }
    const first = await listTasks(gateway, { first: 2 });
    expect(idsOf(first)).toEqual(newest.slice(0, 2));
    expect(first.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
  });

  it('filters by current state, within the page size, and its revision is the newest of any task', async () => {
    const { gateway, provider } = await startEager();
    const [waiting = '', success = '', fail = ''] = await createTasks(gateway, 3);
    const before = await listTasks(gateway, { first: 1 });
    expect(before.revision).toBe(before.edges[0]?.node.revision);
    provider.answer('createTask', refused(402, 'Insufficient credits'));
    await create(gateway, { prompt: 'refused' });
    expect((await listTasks(gateway)).revision).toBe(before.revision);
    const callBack = async (callback: ReturnType<typeof callbackFail>, id: string): Promise<void> => {
      const call = await provider.received('createTask', (request) =>
        request.rawBody.includes(`"${id.slice(4)}"`),
      );
      await deliverCallback(gateway.callbackUrl(call), callback, sign(HMAC_KEY, id));
    };
    await callBack(callbackSuccess('kie-2'), 'kie-2');
    await callBack(callbackFail('kie-3'), 'kie-3');
    const { revision } = await listTasks(gateway, { states: ['QUEUING'] });
    expect(revision).toBeGreaterThan(before.revision);
    expect((await findTask(gateway, fail))?.revision).toBe(revision);
    for (const [states, ids] of [
      [['WAITING'], [waiting]],
      [
        ['FAIL', 'SUCCESS', 'FAIL'],
        [fail, success],
      ],
      [['SUBMITTING', 'QUEUING', 'GENERATING'], []],
      [[], [fail, success, waiting]],
      [null, [fail, success, waiting]],
    ] as const)
      expect(idsOf(await listTasks(gateway, { states }))).toEqual(ids);
    const states = ['WAITING', 'SUCCESS'];
    const page = await listTasks(gateway, { states, first: 1 });
    expect([idsOf(page), page.pageInfo.hasNextPage]).toEqual([[success], true]);
    const rest = await listTasks(gateway, { states, after: page.pageInfo.endCursor });
    expect([idsOf(rest), rest.pageInfo.hasNextPage]).toEqual([[waiting], false]);
    // A cursor of a task that the filter leaves out works as well.
    const [failed] = (await listTasks(gateway, { states: ['FAIL'] })).edges;
    expect(idsOf(await listTasks(gateway, { states, after: failed?.cursor }))).toEqual([success, waiting]);
  });

  it('refuses page sizes outside 1 to 100, foreign cursors and unknown states, with what is allowed', async () => {
    const { gateway } = await startEager();
    for (const first of [0, 101, -1, 2_147_483_647]) {
      const error = await errorOf(gateway, TASKS, { first });
      expect(error.extensions).toMatchObject({ code: 'BAD_USER_INPUT' });
      expect(error.message).toMatch(new RegExp(`between 1 and 100.*${first}|${first}.*between 1 and 100`));
    }
    const encoded = ['5:', 'x:1', '1:\0'].map((text) => Buffer.from(text).toString('base64url'));
    const unknown = '00000000-0000-4000-8000-000000000000';
    for (const after of ['', 'next', unknown, '!!!', 'x'.repeat(10_000), ...encoded]) {
      const error = await errorOf(gateway, TASKS, { after });
      expect(error.extensions, after).toMatchObject({ code: 'BAD_USER_INPUT' });
      expect(error.message).toContain('pageInfo.endCursor');
      expect(error.message.length).toBeLessThan(300);
    }
    expect((await errorOf(gateway, '{ tasks(states: [DONE]) { revision } }')).message).toContain('TaskState');
  });
});

it('account.creditsRemaining is what the provider says, and null without an error when it says nothing', async () => {
  const provider = await startFakeProvider();
  const { clock, graphqlUrl } = await startStandingGateway({ provider });
  const remaining = async () => {
    clock.advance(1000);
    return dataOf((await graphql(graphqlUrl, ACCOUNT)).body).account.creditsRemaining;
  };
  for (const amount of [100, 60.62, 0, -3.5]) {
    provider.answer('credit', credit(amount));
    expect(await remaining()).toBe(amount);
  }
  provider.answer('credit', refused(500, 'oops'));
  clock.advance(1000);
  const { body } = await graphql(graphqlUrl, '{ account { creditsRemaining } tasks { revision } }');
  expect(body).toEqual({ data: { account: { creditsRemaining: null }, tasks: { revision: 0 } } });
  await provider.close();
  expect(await remaining()).toBeNull();
});

it('all requests for creditsRemaining share one call to the provider, whose answer counts for a second', async () => {
  const provider = await startFakeProvider();
  const { clock, graphqlUrl } = await startStandingGateway({ provider });
  const aliases = Array.from({ length: 15 }, (_, n) => `a${n}: account { creditsRemaining }`).join(' ');
  const balances = async () => Object.values((await graphql(graphqlUrl, `{ ${aliases} }`)).body.data ?? {});
  const all = (creditsRemaining: number) => Array.from({ length: 15 }, () => ({ creditsRemaining }));
  const answered = deferred();
  provider.answer('credit', { ...credit(100), gate: answered.promise }, credit(200));

  const first = balances();
  await provider.received('credit');
  clock.advance(5000);
  const second = balances();
  await staysPending(provider.received('credit'));
  answered.resolve();
  expect([await first, await second]).toEqual([all(100), all(100)]);
  clock.advance(999);
  expect(await balances()).toEqual(all(100));
  clock.advance(1);
  expect(await balances()).toEqual(all(200));
  expect(provider.requests('credit')).toHaveLength(2);
});

it('DateTime is RFC 3339 in UTC with milliseconds, by the clock of the gateway', async () => {
  const { gateway, provider } = await startEager();
  const before = Date.now();
  const { id } = await createTask(gateway, { prompt: '1' });
  const callback = gateway.callbackUrl(await provider.received('createTask'));
  await deliverCallback(callback, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
  const task = await findTask(gateway, id);
  const texts = [task?.createdAt, task?.updatedAt, task?.completedAt, task?.videos[0]?.expiresAt];
  for (const text of texts) expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const [createdAt, updatedAt, completedAt = 0, expiresAt] = texts.map((text) => Date.parse(text ?? ''));
  expect(createdAt).toBeGreaterThanOrEqual(before);
  expect(completedAt).toBeGreaterThanOrEqual(createdAt ?? Infinity);
  expect(completedAt).toBeLessThanOrEqual(Date.now());
  expect([updatedAt, expiresAt]).toEqual([completedAt, completedAt + 24 * 60 * 60 * 1000]);
});

it('SafeInt is a whole JSON number of at most 2^53 - 1, as a variable and as a literal', async () => {
  const { gateway } = await startEager();
  const query = 'subscription ($after: SafeInt) { tasksUpdated(after: $after) { id } }';
  const headers = { 'content-type': 'application/json', accept: 'text/event-stream' };
  /** Numbers are sent as they are written, for those that JSON.stringify would not write. */
  const subscribe = async (body: string): Promise<GraphqlResult<unknown>> => {
    const response = await fetch(gateway.graphqlUrl, { method: 'POST', headers, body });
    const [first] = createSseParser()(await response.text());
    return JSON.parse(first?.data ?? '') as GraphqlResult<unknown>;
  };
  const messagesOf = async (value: string) => {
    const literal = JSON.stringify({
      query: query.replace(' ($after: SafeInt)', '').replace('$after', value),
    });
    const variable = `{"query":${JSON.stringify(query)},"variables":{"after":${value}}}`;
    return Promise.all(
      [literal, variable].map(async (body) => {
        const { data, errors = [] } = await subscribe(body);
        expect([data ?? null, errors.length]).toEqual([null, 1]);
        return errors[0]?.message;
      }),
    );
  };
  const how = 'A SafeInt is a whole number between -(2^53 - 1) and 2^53 - 1, without quotes.';
  for (const value of [
    '"5"',
    '""',
    '1.5',
    '9007199254740992',
    '-9007199254740992',
    '1e400',
    'true',
    '[5]',
    '{}',
  ])
    for (const message of await messagesOf(value)) expect(message, value).toContain(how);
  expect((await messagesOf('5.0'))[0]).toContain(how);
  // The field itself decides about a valid one.
  for (const value of [Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER])
    for (const message of await messagesOf(String(value)))
      expect(message).toContain(`after: ${value} is not a revision`);
});
