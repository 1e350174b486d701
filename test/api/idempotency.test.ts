import { describe, expect, it } from 'vitest';
import { createLog } from '../../src/log/log.ts';
import type { ApiTask } from '../kit/documents.ts';
import { HMAC_KEY, startGateway, type GatewayOptions } from '../kit/gateway.ts';
import { callbackFail, callbackSuccess, created, deliverCallback, refused, sign } from '../kit/kie.ts';
import { startFakeProvider, type Answer } from '../kit/provider.ts';
import { deferred, staysPending } from '../kit/waits.ts';
import { inSqlite } from '../kit/store.ts';
import { create, createTask, findTask, listTasks, taskIdOf, taskOf } from './client.ts';

const INPUT = { idempotencyKey: 'one' };
const OTHER = { ...INPUT, prompt: 'something else' };
const NO_CREDITS = refused(402, 'Insufficient credits');

async function start(answers: readonly Answer[], options: GatewayOptions = {}) {
  const provider = await startFakeProvider();
  provider.answer('createTask', ...answers);
  return { provider, gateway: await startGateway({ provider, ...options }) };
}

/** The same, and the first create call is answered when `answer` is called. */
async function startGated(first: Answer, ...others: readonly Answer[]) {
  const gate = deferred();
  const started = await start([{ ...first, gate: gate.promise }, ...others]);
  return { ...started, answer: gate.resolve };
}

/** A log, and a promise that resolves when so many creates wait for the outcome of their task. */
function watchCreates(count: number) {
  const all = deferred();
  let seen = 0;
  const write = (line: string): void => {
    if (line.includes('create requested') && (seen += 1) === count) all.resolve();
  };
  return { log: createLog({ level: 'info', pretty: false }, { write }), requested: all.promise };
}

function conflict(id: string) {
  return { __typename: 'IdempotencyConflictError', task: { id } };
}

describe('the same key with the same input', () => {
  it('gives the same task from one create call, however often, and after a restart', async () => {
    const { gateway, provider } = await start([created('kie-1')]);
    const task = await createTask(gateway, INPUT);
    for (let time = 0; time < 3; time += 1) expect(await createTask(gateway, INPUT)).toEqual(task);
    expect((await listTasks(gateway)).edges).toHaveLength(1);
    await gateway.close();
    const second = await startGateway({ provider, dataDir: gateway.dataDir });
    expect(await createTask(second, INPUT)).toEqual(task);
    expect(await create(second, OTHER)).toMatchObject(conflict(task.id));
    expect(provider.requests('createTask')).toHaveLength(1);
  });

  it('is the same where both ask the provider for the same', async () => {
    const { gateway, provider } = await start([created('kie-1'), created('kie-2')]);
    const task = await createTask(gateway, INPUT);
    for (const same of [{ endImageUrl: null }, { endImageUrl: ' ' }, { promptOptimizer: null }])
      expect(await createTask(gateway, { ...INPUT, ...same })).toEqual(task);
    const trimmed = await createTask(gateway, {
      idempotencyKey: 'two',
      imageUrl: 'https://files.example/a.png',
    });
    const spaced = { idempotencyKey: 'two', imageUrl: ' https://files.example/a.png ', endImageUrl: '' };
    expect(await createTask(gateway, spaced)).toEqual(trimmed);
    expect(provider.requests('createTask')).toHaveLength(2);
  });

  it('is the same whether an option or the model is left out, null, empty or the default model', async () => {
    const { gateway, provider } = await start([created('kie-1'), created('kie-2')]);
    const task = await createTask(gateway, INPUT);
    for (const same of [{ model: null }, { model: 'HAILUO_02_PRO' }, { seed: null }, { negativePrompt: '' }])
      expect(await createTask(gateway, { ...INPUT, ...same })).toEqual(task);
    const other = { idempotencyKey: 'two', model: 'WAN_2_7' };
    const second = await createTask(gateway, { ...other, negativePrompt: '' });
    for (const same of [{}, { negativePrompt: null }, { durationSeconds: null, resolution: null }])
      expect(await createTask(gateway, { ...other, ...same })).toEqual(second);
    expect(provider.requests('createTask')).toHaveLength(2);
  });

  it('without options has the hash of version 0.1.0, so that it is the same across an upgrade', async () => {
    const { gateway } = await start([created('kie-1'), created('kie-2')]);
    await createTask(gateway, INPUT);
    await createTask(gateway, { endImageUrl: 'https://files.example/last.png', promptOptimizer: true });
    await gateway.close();
    const rows = inSqlite<unknown[]>(gateway.dataDir, (database) =>
      database.prepare('select input_hash from tasks order by created_at, id').all(),
    );
    // SHA-256 of ["hailuo/02-image-to-video-pro",prompt,imageUrl,endImageUrl,promptOptimizer] as JSON, by openssl.
    expect(rows.map((row) => Object.values(row as object)[0] as string)).toEqual([
      'DI96tayZqZZBXIWx-mTZGI7xlfRrLN_-_v6K_Zafs3M',
      'FL7wRiqBQGkGqOloCeUnnEl6oMK11_BCu7gUPolE3jM',
    ]);
  });

  it.each([
    ['SUCCESS', callbackSuccess('kie-1')],
    ['FAIL', callbackFail('kie-1')],
  ])('gives the task as it is now, in %s as well', async (state, callback) => {
    const { gateway, provider } = await start([created('kie-1'), created('kie-2')]);
    const { id } = await createTask(gateway, INPUT);
    const url = gateway.callbackUrl(await provider.received('createTask'));
    await deliverCallback(url, callback, sign(HMAC_KEY, 'kie-1'));
    const again = await createTask(gateway, INPUT);
    expect(again).toMatchObject({ id, state });
    expect(again).toEqual(await findTask(gateway, id));
    expect(provider.requests('createTask')).toHaveLength(1);
    expect((await createTask(gateway, { idempotencyKey: 'two' })).id).not.toBe(id);
  });
});

it('the same input without a key is a new task each time', async () => {
  const { gateway, provider } = await start([created('kie-1'), created('kie-2')]);
  const [first, second] = [await createTask(gateway), await createTask(gateway, { idempotencyKey: null })];
  expect(first.id).not.toBe(second.id);
  expect(provider.requests('createTask')).toHaveLength(2);
});

describe('the same key with another input', () => {
  it('is a conflict that contains the task of the key', async () => {
    const { gateway, provider } = await start([created('kie-1')]);
    const task = await createTask(gateway, { ...INPUT, promptOptimizer: null });
    for (const fields of [
      { prompt: 'slow push-in, snow falling ' },
      { imageUrl: 'https://files.example/other.png' },
      { endImageUrl: 'https://files.example/last.png' },
      { promptOptimizer: false },
    ])
      expect(await create(gateway, { ...INPUT, ...fields })).toEqual({
        __typename: 'IdempotencyConflictError',
        message: expect.stringMatching(/./) as string,
        task,
      });
    expect(provider.requests('createTask')).toHaveLength(1);
  });

  it('is a conflict where the model or an option differs, also where one is left out and its default is the other', async () => {
    const { gateway, provider } = await start([created('kie-1')]);
    const first = { ...INPUT, model: 'KLING_2_6' };
    const { id } = await createTask(gateway, first);
    for (const fields of [
      { model: 'KLING_3_TURBO' },
      { durationSeconds: 5 },
      { durationSeconds: 10 },
      { sound: false },
      { sound: true },
    ])
      expect(await create(gateway, { ...first, ...fields })).toMatchObject(conflict(id));
    expect(provider.requests('createTask')).toHaveLength(1);
  });

  it.each([
    ['a conflict when the provider accepts it', created('kie-1')],
    ['a task of its own when the provider refuses it', NO_CREDITS],
  ])('waits for the outcome of the first one, and is then %s', async (_, outcome) => {
    const { answer, gateway, provider } = await startGated(outcome, created('kie-2'));
    const first = create(gateway, INPUT);
    await provider.received('createTask');
    const second = create(gateway, OTHER);
    await staysPending(second);
    answer();
    if (outcome !== NO_CREDITS) expect(await second).toMatchObject(conflict(taskOf(await first).id));
    else expect(taskOf(await second)).toMatchObject({ prompt: OTHER.prompt, providerTaskId: 'kie-2' });
  });
});

it.each([
  ['task', created('kie-1'), { task: { state: 'WAITING', providerTaskId: 'kie-1' } }],
  ['refusal', NO_CREDITS, { code: 'INSUFFICIENT_CREDITS' }],
])('concurrent twins share one create call and its %s', async (_, outcome, result) => {
  const { log, requested } = watchCreates(10);
  const gate = deferred();
  const { gateway, provider } = await start([{ ...outcome, gate: gate.promise }], { log });
  const twins = Promise.all(Array.from({ length: 10 }, () => create(gateway, INPUT)));
  await requested;
  await staysPending(twins);
  gate.resolve();
  const results = await twins;
  expect(results[0]).toMatchObject(result);
  for (const one of results) expect(one).toEqual(results[0]);
  expect(provider.requests('createTask')).toHaveLength(1);
});

describe('a key is free again', () => {
  it('for any input when the provider has refused its task', async () => {
    for (const fields of [INPUT, OTHER]) {
      const { gateway, provider } = await start([NO_CREDITS, created('kie-2')]);
      expect(await create(gateway, INPUT)).toMatchObject({ __typename: 'ProviderError' });
      const task = await createTask(gateway, fields);
      expect(task).toMatchObject({ state: 'WAITING', providerTaskId: 'kie-2' });
      expect(provider.requests('createTask').map(taskIdOf)[1]).toBe(task.id);
    }
  });

  it('when the refusal came after the task was visible, and its failed task stays', async () => {
    const gate = deferred();
    const late = { ...NO_CREDITS, gate: gate.promise };
    const { gateway } = await start([late, created('kie-2')], { env: { CREATE_WAIT_MS: '20' } });
    const { id, state } = await createTask(gateway, INPUT);
    expect(state).toBe('SUBMITTING');
    expect(await create(gateway, OTHER)).toMatchObject(conflict(id));
    gate.resolve();
    const failed = async (): Promise<ApiTask> => {
      const task = await findTask(gateway, id);
      return task?.state === 'FAIL' ? task : failed();
    };
    const failure = { code: 'INSUFFICIENT_CREDITS', providerCode: '402', retryable: false };
    expect(await failed()).toMatchObject({ failure });
    expect((await createTask(gateway, OTHER)).id).not.toBe(id);
    expect(await findTask(gateway, id)).toMatchObject({ failure });
  });
});
