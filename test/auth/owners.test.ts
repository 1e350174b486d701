import { describe, expect, it } from 'vitest';
import { cursorOf } from '../../src/tasks/list.ts';
import { ACCOUNT, CREATE, input, TASKS } from '../kit/documents.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import { dataOf, graphql } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created, credit } from '../kit/kie.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { addTask } from '../websocket/stored-tasks.ts';
import { SECRET, signWith } from './tokens.ts';
import { ADA, API_KEYS, ask, BEN, startWithTwoOwners } from './owners.ts';

type Who = Readonly<Record<string, string>>;

async function create(gateway: Gateway, who: Who, fields: Parameters<typeof input>[0]) {
  return dataOf(await ask(gateway, who, CREATE, { input: input(fields) })).createImageToVideo;
}

async function idsOf(gateway: Gateway, who: Who, args: Readonly<Record<string, unknown>> = {}) {
  return dataOf(await ask(gateway, who, TASKS, args)).tasks.edges.map(({ node }) => node.id);
}

describe("another owner's task", () => {
  it('is in no page of tasks, with any states, nor counted in one; similar names are other owners', async () => {
    const { adas, bens, gateway, store } = await startWithTwoOwners();
    for (const owner of ['Ada', 'ada ', 'adá']) await addTask(store, { owner });
    for (const args of [{}, { states: ['WAITING'] }, { states: [] }, { first: 100 }]) {
      expect(await idsOf(gateway, ADA, args)).toEqual([adas.id]);
      expect(await idsOf(gateway, BEN, args)).toEqual([bens.id]);
    }
    expect(await idsOf(gateway, ADA, { states: ['FAIL'] })).toEqual([]);
    for (let count = 0; count < 5; count += 1) await addTask(store, { owner: 'ben' });
    const { tasks } = dataOf(await ask(gateway, ADA, TASKS, { first: 1 }));
    expect(tasks.edges.map(({ node }) => node.id)).toEqual([adas.id]);
    expect(tasks.pageInfo.hasNextPage).toBe(false);
  });

  it('is not revealed by its cursor, which is a position like any other', async () => {
    const { gateway, store } = await startWithTwoOwners();
    const old = await addTask(store, { owner: 'ada', createdAt: 1000 });
    const bens = await addTask(store, { owner: 'ben', createdAt: 2000 });
    const { tasks } = dataOf(await ask(gateway, BEN, TASKS));
    const cursor = tasks.edges.find(({ node }) => node.id === bens.id)?.cursor;
    const invented = cursorOf({ createdAt: 2000, id: 'a-task-that-never-was' });
    const answer = await ask(gateway, ADA, TASKS, { after: cursor });
    expect(answer).toEqual(await ask(gateway, ADA, TASKS, { after: invented }));
    expect(dataOf(answer).tasks.edges.map(({ node }) => node.id)).toEqual([old.id]);
  });
});

describe('an idempotency key', () => {
  it('belongs to its owner: two owners with the same key get two tasks', async () => {
    const provider = await startFakeProvider();
    provider.answer('createTask', created('kie-1'), created('kie-2'));
    const gateway = await startGateway({ provider, env: { API_KEYS } });
    const [adas, bens] = await Promise.all(
      [ADA, BEN].map((who) => create(gateway, who, { idempotencyKey: 'one' })),
    );
    expect(await create(gateway, ADA, { idempotencyKey: 'one' })).toEqual(adas);
    expect(await create(gateway, BEN, { idempotencyKey: 'one' })).toEqual(bens);
    expect(provider.requests('createTask')).toHaveLength(2);
    const [adasIds, bensIds] = [await idsOf(gateway, ADA), await idsOf(gateway, BEN)];
    expect([adasIds.length, bensIds.length]).toEqual([1, 1]);
    expect(adasIds).not.toEqual(bensIds);
  });

  it('conflicts with tasks of its owner only', async () => {
    const provider = await startFakeProvider();
    provider.answer('createTask', created('kie-1'), created('kie-2'));
    const gateway = await startGateway({ provider, env: { API_KEYS } });
    const bens = await create(gateway, BEN, { idempotencyKey: 'one', prompt: "Ben's wish" });
    const adas = await create(gateway, ADA, { idempotencyKey: 'one', prompt: "Ada's wish" });
    expect(bens.__typename).toBe('CreateImageToVideoSuccess');
    expect(adas).toMatchObject({ task: { prompt: "Ada's wish" } });
    const conflict = await create(gateway, ADA, { idempotencyKey: 'one', prompt: 'another wish' });
    const expected = { __typename: 'IdempotencyConflictError', task: { prompt: "Ada's wish" } };
    expect(conflict).toMatchObject(expected);
    expect(JSON.stringify(conflict)).not.toMatch(/Ben|kie-1/);
  });
});

const KEY = { authorization: 'key-of-ada' };
it.each<readonly [who: string, env: Who, headers: Who | null, isShown: boolean]>([
  ['hidden from a client with an API key', { API_KEYS: 'ada:key-of-ada' }, KEY, false],
  ['hidden from a client with a token', { JWT_SECRET: SECRET }, null, false],
  ['shown with SHOW_CREDITS', { API_KEYS: 'ada:key-of-ada', SHOW_CREDITS: 'true' }, KEY, true],
  ['shown with SHOW_CREDITS to a token', { JWT_SECRET: SECRET, SHOW_CREDITS: 'true' }, null, true],
  ['shown without authentication', { SHOW_CREDITS: 'false' }, {}, true],
])("the balance of the provider's account is %s, over HTTP and sockets", async (_, env, given, isShown) => {
  const provider = await startFakeProvider();
  provider.always('credit', credit(60.62));
  const { graphqlUrl } = await startGateway({ provider, env });
  const headers = given ?? { authorization: await signWith(SECRET) };
  const { body } = await graphql(graphqlUrl, ACCOUNT, {}, headers);
  const socket = await openGraphqlWs(graphqlUrl, { connectionParams: headers });
  const shown = [dataOf(body), await socket.subscribe({ query: ACCOUNT }).data()];
  const balance = isShown ? 60.62 : null;
  expect(shown.map(({ account }) => account.creditsRemaining)).toEqual([balance, balance]);
  if (!isShown) expect(provider.requests()).toEqual([]);
});
