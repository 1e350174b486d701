import { describe, expect, it } from 'vitest';
import { TASKS } from '../kit/documents.ts';
import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { HMAC_KEY, startGateway, type Gateway } from '../kit/gateway.ts';
import {
  callbackFail,
  callbackSuccess,
  deliverCallback,
  sign,
  createBody,
  created,
  notVisibleYet,
  refused,
} from '../kit/kie.ts';
import { create, createTask, errorOf, findTask, idsOf, listTasks } from './client.ts';

/** Hundreds of tasks take their time on a machine that is busy. */
const TIMEOUT = { timeout: 60_000 };

/** A gateway whose provider takes everything at once, under a name made of the prompt. */
async function startEager(): Promise<{ provider: FakeProvider; gateway: Gateway }> {
  const provider = await startFakeProvider();
  provider.always('createTask', (request) => created(`kie-${createBody(request).input.prompt}`));
  provider.always('recordInfo', notVisibleYet());
  return { provider, gateway: await startGateway({ provider, env: { KIE_CREATES_PER_10S: '1000' } }) };
}

/** So many tasks, one after the other; the oldest first. */
async function createTasks(gateway: Gateway, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 1; n <= count; n += 1) ids.push((await createTask(gateway, { prompt: String(n) })).id);
  return ids;
}

describe('paging through 250 tasks', () => {
  it(
    'shows each once and in order, whatever arrives and changes meanwhile',
    { timeout: 60_000 },
    async () => {
      const { gateway } = await startEager();
      const prompts = Array.from({ length: 250 }, (_, n) => String(n));
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

      expect(pages).toBe(7);
      expect(seen).toHaveLength(250);
      expect(new Set(seen.map(({ id }) => id))).toEqual(new Set(tasks.map(({ id }) => id)));
      const times = seen.map(({ createdAt }) => createdAt);
      expect(times).toEqual(times.toSorted().toReversed());
      expect((await listTasks(gateway, { first: 1 })).edges[0]?.node.prompt).toMatch(/^late-7-/);
    },
  );
});

describe('a page', () => {
  it('is empty when there are no tasks', async () => {
    const { gateway } = await startEager();
    expect(await listTasks(gateway)).toEqual({
      edges: [],
      pageInfo: { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null },
      revision: 0,
    });
  });

  it('has 20 tasks when nobody says how many, up to 100 when asked, the newest first', TIMEOUT, async () => {
    const { gateway } = await startEager();
    const newest = (await createTasks(gateway, 101)).reverse();
    for (const args of [{}, { first: null }, { first: 20 }])
      expect(idsOf(await listTasks(gateway, args))).toEqual(newest.slice(0, 20));
    expect(idsOf(await listTasks(gateway, { first: 1 }))).toEqual(newest.slice(0, 1));
    expect(idsOf(await listTasks(gateway, { first: 100 }))).toEqual(newest.slice(0, 100));
  });

  it('says where it begins and ends, and whether there are others before and behind it', async () => {
    const { gateway } = await startEager();
    const [oldest, middle, newest] = await createTasks(gateway, 3);
    const whole = await listTasks(gateway, { first: 3 });
    expect(whole.pageInfo).toEqual({
      hasNextPage: false,
      hasPreviousPage: false,
      startCursor: whole.edges[0]?.cursor,
      endCursor: whole.edges[2]?.cursor,
    });

    const first = await listTasks(gateway, { first: 2 });
    expect(idsOf(first)).toEqual([newest, middle]);
    expect(first.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
    const second = await listTasks(gateway, { first: 2, after: first.pageInfo.endCursor });
    expect(idsOf(second)).toEqual([oldest]);
    expect(second.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
    expect(second.pageInfo.startCursor).toBe(second.pageInfo.endCursor);

    const beyond = await listTasks(gateway, { after: second.pageInfo.endCursor });
    expect(beyond.edges).toEqual([]);
    expect(beyond.pageInfo).toEqual({
      hasNextPage: false,
      hasPreviousPage: true,
      startCursor: null,
      endCursor: null,
    });
  });

  it('goes on behind any edge of the page before', async () => {
    const { gateway } = await startEager();
    const newest = (await createTasks(gateway, 4)).reverse();
    const { edges } = await listTasks(gateway);
    for (const [place, { cursor }] of edges.entries())
      expect(idsOf(await listTasks(gateway, { after: cursor }))).toEqual(newest.slice(place + 1));
  });

  it('shows every task as task(id) shows it', async () => {
    const { gateway } = await startEager();
    await createTasks(gateway, 2);
    for (const { node } of (await listTasks(gateway)).edges)
      expect(await findTask(gateway, node.id)).toEqual(node);
  });
});

describe('the filter by states', () => {
  /** One task that waits, one that succeeded and one that failed. */
  async function startWithThree() {
    const { gateway, provider } = await startEager();
    const ids = await createTasks(gateway, 3);
    const [waiting = '', success = '', fail = ''] = ids;
    await provider.received('createTask');
    const toSucceed = gateway.callbackUrl(await provider.received('createTask'));
    await deliverCallback(toSucceed, callbackSuccess('kie-2'), sign(HMAC_KEY, 'kie-2'));
    const toFail = gateway.callbackUrl(await provider.received('createTask'));
    await deliverCallback(toFail, callbackFail('kie-3'), sign(HMAC_KEY, 'kie-3'));
    return { gateway, waiting, success, fail };
  }

  it('shows the tasks that are in one of them now', async () => {
    const { gateway, waiting, success, fail } = await startWithThree();
    const filtered = async (...states: string[]) => idsOf(await listTasks(gateway, { states }));
    expect(await filtered('WAITING')).toEqual([waiting]);
    expect(await filtered('SUCCESS')).toEqual([success]);
    expect(await filtered('FAIL')).toEqual([fail]);
    expect(await filtered('FAIL', 'SUCCESS', 'FAIL')).toEqual([fail, success]);
    expect(await filtered('SUBMITTING', 'QUEUING', 'GENERATING')).toEqual([]);
  });

  it('shows all of them when it is empty, null or left out', async () => {
    const { gateway, waiting, success, fail } = await startWithThree();
    for (const args of [{ states: [] }, { states: null }, {}])
      expect(idsOf(await listTasks(gateway, args))).toEqual([fail, success, waiting]);
  });

  it('counts for the page: what is filtered out fills none, and a cursor of it still works', async () => {
    const { gateway, waiting, success } = await startWithThree();
    const states = ['WAITING', 'SUCCESS'];
    const page = await listTasks(gateway, { states, first: 1 });
    expect(idsOf(page)).toEqual([success]);
    expect(page.pageInfo.hasNextPage).toBe(true);
    const rest = await listTasks(gateway, { states, after: page.pageInfo.endCursor });
    expect(idsOf(rest)).toEqual([waiting]);
    expect(rest.pageInfo.hasNextPage).toBe(false);

    const [failed] = (await listTasks(gateway, { states: ['FAIL'] })).edges;
    expect(idsOf(await listTasks(gateway, { states, after: failed?.cursor }))).toEqual([success, waiting]);
  });

  it('knows no other states', async () => {
    const { gateway } = await startEager();
    const error = await errorOf(gateway, '{ tasks(states: [DONE]) { revision } }');
    expect(error.message).toContain('TaskState');
  });
});

describe('a list that cannot be had', () => {
  it.each([0, 101, -1, 2_147_483_647])('says how many tasks may be asked for, not %i', async (first) => {
    const { gateway } = await startEager();
    const error = await errorOf(gateway, TASKS, { first });
    expect(error.extensions).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(error.message).toContain(String(first));
    expect(error.message).toContain('between 1 and 100');
  });

  it.each([
    ['nothing', ''],
    ['a word', 'next'],
    ['a task id', '00000000-0000-4000-8000-000000000000'],
    ['another encoding', '!!!'],
    ['a place without an id', Buffer.from('5:').toString('base64url')],
    ['a time that is none', Buffer.from('x:1').toString('base64url')],
    ['NUL', Buffer.from('1:\0').toString('base64url')],
    ['a very long text', 'x'.repeat(10_000)],
  ])('says where cursors come from when given %s', async (_, after) => {
    const { gateway } = await startEager();
    const error = await errorOf(gateway, TASKS, { after });
    expect(error.extensions).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(error.message).toContain('pageInfo.endCursor');
    expect(error.message.length).toBeLessThan(300);
  });
});

describe('the revision of a list', () => {
  it('is the newest that any task has, and stands still while nothing visible happens', async () => {
    const { gateway, provider } = await startEager();
    await createTasks(gateway, 2);
    const list = await listTasks(gateway, { first: 1 });
    expect(list.revision).toBe(list.edges[0]?.node.revision);

    provider.answer('createTask', refused(402, 'Insufficient credits'));
    await create(gateway, { prompt: 'refused' });
    expect((await listTasks(gateway)).revision).toBe(list.revision);
  });

  it('grows with every change, of whichever task and page', async () => {
    const { gateway, provider } = await startEager();
    const [oldest = ''] = await createTasks(gateway, 2);
    const before = await listTasks(gateway, { first: 1 });
    const callback = gateway.callbackUrl(await provider.received('createTask'));
    await deliverCallback(callback, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
    const after = await listTasks(gateway, { first: 1 });
    expect(after.revision).toBeGreaterThan(before.revision);
    expect((await findTask(gateway, oldest))?.revision).toBe(after.revision);
    expect((await listTasks(gateway, { first: 1, states: ['QUEUING'] })).revision).toBe(after.revision);
  });
});
