import { expect, test } from 'vitest';
import { type ApiTask, TASK, TASKS_UPDATED } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { HMAC_KEY, temporaryDir } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { callbackSuccess, deliverCallback, sign, createBody, created, notVisibleYet } from '../kit/kie.ts';
import { emptyDatabase, queryDatabase } from '../kit/store.ts';
import { runBuilt, startBuilt } from '../kit/process.ts';
import { createTask } from './client.ts';

/** The changes after a revision, as many as are asked for. */
async function changesAfter(graphqlUrl: string, after: number, count: number): Promise<readonly ApiTask[]> {
  const socket = await openGraphqlWs(graphqlUrl);
  const changes = socket.subscribe({ query: TASKS_UPDATED, variables: { after } });
  const seen: ApiTask[] = [];
  while (seen.length < count) seen.push((await changes.data()).tasksUpdated);
  await socket.close();
  return seen;
}

test('a gateway that is moved to PostgreSQL with tasks under way goes on there: revisions, keys and callback addresses hold', async () => {
  const provider = await startFakeProvider();
  provider.always('recordInfo', notVisibleYet());
  provider.answer('createTask', created('kie-1'), created('kie-2'));
  const [DATA_DIR, DATABASE_URL] = [await temporaryDir(), await emptyDatabase()];
  const env = {
    KIE_API_KEY: 'test-key',
    KIE_API_URL: provider.url,
    KIE_WEBHOOK_HMAC_KEYS: HMAC_KEY,
    PUBLIC_URL: 'https://gateway.example.test',
    DATA_DIR,
  };
  const callBack = async (url: string, path: string, id: string) =>
    (await deliverCallback(url + path, callbackSuccess(id), sign(HMAC_KEY, id))).status;
  const nextPath = async () =>
    new URL(createBody(await provider.received('createTask')).callBackUrl ?? '').pathname;

  const before = await startBuilt(env);
  const first = await createTask(before.graphqlUrl, { prompt: 'finished', idempotencyKey: 'one' });
  expect(await callBack(before.url, await nextPath(), 'kie-1')).toBe(200);
  const second = await createTask(before.graphqlUrl, { prompt: 'under way', idempotencyKey: 'two' });
  const path = await nextPath();
  const seen = await changesAfter(before.graphqlUrl, 0, 2);
  const last = seen.at(-1)?.revision ?? 0;
  expect(seen.map(({ id, state }) => [id, state])).toEqual([
    [first.id, 'SUCCESS'],
    [second.id, 'WAITING'],
  ]);

  const copy = ['copy', '--from', DATA_DIR, '--to', DATABASE_URL];
  const tooEarly = await runBuilt(copy);
  expect([tooEarly.code, tooEarly.stdout]).toEqual([1, '']);
  expect(tooEarly.stderr).toContain(`${DATA_DIR} is in use by another Kineograph process`);
  before.signal('SIGTERM');
  expect((await before.exited).code).toBe(0);
  const copied = await runBuilt(copy);
  expect([copied.code, copied.stderr]).toEqual([0, '']);
  expect(copied.stdout).toContain(`Copied 2 tasks up to revision ${last} from ${DATA_DIR}`);

  // Without them PostgreSQL would read whole tables.
  const statistics = "select from pg_stats where tablename in ('tasks', 'tasks_listed')";
  expect(await queryDatabase(DATABASE_URL, statistics)).not.toEqual([]);

  const after = await startBuilt({ ...env, DATABASE_URL });
  const coming = changesAfter(after.graphqlUrl, last, 1);
  expect(await callBack(after.url, path, 'kie-2')).toBe(200);
  const [news] = await coming;
  expect(news).toMatchObject({ id: second.id, state: 'SUCCESS', providerTaskId: 'kie-2' });
  expect(news?.revision).toBeGreaterThan(last);
  const { body } = await graphql(after.graphqlUrl, TASK, { id: first.id });
  expect(dataOf(body).task).toEqual(seen[0]);
  const again = await createTask(after.graphqlUrl, { prompt: 'under way', idempotencyKey: 'two' });
  expect(again).toEqual(news);
  expect(provider.requests('createTask')).toHaveLength(2);

  const twice = await runBuilt(copy);
  expect([twice.code, twice.stderr]).toEqual([
    1,
    'kineograph: The target database already has tasks. Use an empty one.\n',
  ]);
});
