import { describe, expect, it } from 'vitest';
import { cursorOf } from '../../src/tasks/list.ts';
import { CREATE, TASK, TASKS, input } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import { dataOf } from '../kit/graphql.ts';
import { created } from '../kit/kie.ts';
import { addTask } from '../websocket/stored-tasks.ts';
import { ADA, API_KEYS, BEN, ask, startWithTwoOwners } from './owners.ts';

type Who = Readonly<Record<string, string>>;

async function create(gateway: Gateway, who: Who, fields: Parameters<typeof input>[0]) {
  return dataOf(await ask(gateway, who, CREATE, { input: input(fields) })).createImageToVideo;
}

async function idsOf(gateway: Gateway, who: Who, args: Readonly<Record<string, unknown>> = {}) {
  return dataOf(await ask(gateway, who, TASKS, args)).tasks.edges.map(({ node }) => node.id);
}

describe("another owner's task", () => {
  it('is null in task(id), by either id, but visible to its owner', async () => {
    const { bens, gateway } = await startWithTwoOwners();
    const missing = await ask(gateway, ADA, TASK, { id: 'no-such-task' });
    expect(missing).toEqual({ data: { task: null } });
    for (const id of [bens.id, bens.providerTaskId]) {
      expect(await ask(gateway, ADA, TASK, { id })).toEqual(missing);
      expect(dataOf(await ask(gateway, BEN, TASK, { id })).task?.id).toBe(bens.id);
    }
  });

  it('is in no page of tasks, with any states', async () => {
    const { adas, bens, gateway } = await startWithTwoOwners();
    for (const args of [{}, { states: ['WAITING'] }, { states: [] }, { first: 100 }]) {
      expect(await idsOf(gateway, ADA, args)).toEqual([adas.id]);
      expect(await idsOf(gateway, BEN, args)).toEqual([bens.id]);
    }
    expect(await idsOf(gateway, ADA, { states: ['FAIL'] })).toEqual([]);
  });

  it('does not count in a page or in hasNextPage', async () => {
    const { adas, gateway, store } = await startWithTwoOwners();
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

  it('belongs to exactly one name: similar names are other owners', async () => {
    const { adas, gateway, store } = await startWithTwoOwners();
    for (const owner of ['Ada', 'ada ', 'adá']) await addTask(store, { owner });
    expect(await idsOf(gateway, ADA)).toEqual([adas.id]);
  });
});

describe('an idempotency key', () => {
  it('belongs to its owner: two owners with the same key get two tasks', async () => {
    const provider = await startFakeProvider();
    provider.answer('createTask', created('kie-1'), created('kie-2'));
    const gateway = await startGateway({ provider, env: { API_KEYS } });
    const adas = await create(gateway, ADA, { idempotencyKey: 'one' });
    const bens = await create(gateway, BEN, { idempotencyKey: 'one' });
    expect([adas, bens]).toMatchObject([
      { task: { providerTaskId: 'kie-1' } },
      { task: { providerTaskId: 'kie-2' } },
    ]);
    expect(await create(gateway, ADA, { idempotencyKey: 'one' })).toEqual(adas);
    expect(await create(gateway, BEN, { idempotencyKey: 'one' })).toEqual(bens);
    expect(provider.requests('createTask')).toHaveLength(2);
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
    expect(conflict).toMatchObject({
      __typename: 'IdempotencyConflictError',
      task: { prompt: "Ada's wish" },
    });
    expect(JSON.stringify(conflict)).not.toMatch(/Ben|kie-1/);
  });

  it('creates a task per owner for concurrent equal inputs', async () => {
    const provider = await startFakeProvider();
    provider.answer('createTask', created('kie-1'), created('kie-2'));
    const gateway = await startGateway({ provider, env: { API_KEYS } });
    await Promise.all([ADA, BEN].map((who) => create(gateway, who, { idempotencyKey: 'one' })));
    const [adas, bens] = [await idsOf(gateway, ADA), await idsOf(gateway, BEN)];
    expect([adas.length, bens.length]).toEqual([1, 1]);
    expect(adas).not.toEqual(bens);
  });
});
