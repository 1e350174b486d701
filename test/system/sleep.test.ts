import { expect, test } from 'vitest';
import { staysPending, deferred } from '../kit/waits.ts';
import { TASK } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { created } from '../kit/kie.ts';
import { startBuilt } from '../kit/process.ts';
import { createTask } from './client.ts';

const COUNT = 5;
const CREATE_TIMEOUT_MS = 4000;

test('a process that was stopped beyond the time-out of its create calls still reads their answers', async () => {
  const provider = await startFakeProvider();
  const answer = deferred('the create calls to be answered');
  let taken = 0;
  provider.always('createTask', () => ({ ...created(`kie-${(taken += 1)}`), gate: answer.promise }));
  provider.always('recordInfo', { status: 404 });
  const gateway = await startBuilt({
    DATA_DIR: await temporaryDir(),
    KIE_API_KEY: 'test-key',
    KIE_API_URL: provider.url,
    CREATE_WAIT_MS: '0',
    CREATE_TIMEOUT_MS: String(CREATE_TIMEOUT_MS),
  });
  const tasks = await Promise.all(Array.from({ length: COUNT }, () => createTask(gateway.graphqlUrl)));
  for (let call = 0; call < COUNT; call += 1) await provider.received('createTask');

  gateway.signal('SIGSTOP');
  answer.resolve();
  await staysPending(gateway.logged('create call ended'), 2 * CREATE_TIMEOUT_MS);
  gateway.signal('SIGCONT');
  for (const { id } of tasks) {
    await gateway.line((line) => line.includes('WAITING') && line.includes(id));
    const { body } = await graphql(gateway.graphqlUrl, TASK, { id });
    expect(dataOf(body).task).toMatchObject({ state: 'WAITING', failure: null });
  }
  expect(gateway.stdout()).not.toContain('"outcome":"unknown"');
});
