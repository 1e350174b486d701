import { expect, test } from 'vitest';
import { ACCOUNT, TASK, TASKS } from '../kit/documents.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { startBuilt } from '../kit/process.ts';
import { createTask, watchToTheEnd } from './client.ts';

test('started with nothing but a port and a directory, it is healthy and answers queries', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });

  for (const path of ['/health', '/ready']) {
    const answer = await fetch(gateway.url + path);
    expect([answer.status, await answer.json()]).toEqual([200, { status: 'ok' }]);
  }
  const { body } = await graphql(gateway.graphqlUrl, TASKS);
  expect(dataOf(body).tasks.edges).toEqual([]);
  const account = await graphql(gateway.graphqlUrl, ACCOUNT);
  expect(dataOf(account.body).account.creditsRemaining).toBe(10_000);
});

test('an image becomes a video: created, watched over a WebSocket, played in ranges, paid for once', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
  const created = await createTask(gateway.graphqlUrl, { prompt: 'snow falling [sandbox: duration=3s]' });
  expect(created.state).toBe('WAITING');

  const seen = await watchToTheEnd(gateway.graphqlUrl, created.id);
  expect(seen[0]?.id).toBe(created.id);
  const revisions = seen.map(({ revision }) => revision);
  expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
  const last = seen.at(-1);
  expect(last).toMatchObject({ state: 'SUCCESS', creditsConsumed: 57, failure: null });

  const found = await graphql(gateway.graphqlUrl, TASK, { id: last?.providerTaskId });
  expect(dataOf(found.body).task).toEqual(last);

  const url = last?.videos[0]?.url ?? '';
  expect(url.startsWith(`${gateway.url}/sandbox/files/`)).toBe(true);
  const whole = await fetch(url);
  expect(whole.headers.get('content-type')).toBe('video/mp4');
  const bytes = Buffer.from(await whole.arrayBuffer());
  expect(bytes.toString('latin1', 4, 8)).toBe('ftyp');
  const part = await fetch(url, { headers: { range: 'bytes=1000-1999' } });
  expect(part.status).toBe(206);
  expect(part.headers.get('content-range')).toBe(`bytes 1000-1999/${bytes.length}`);
  expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(1000, 2000));

  const account = await graphql(gateway.graphqlUrl, ACCOUNT);
  expect(dataOf(account.body).account.creditsRemaining).toBe(10_000 - 57);
});
