import { describe, expect, it, test } from 'vitest';
import { MODELS } from '../../src/models/index.ts';
import { create, createTask, findTask, listTasks, taskIdOf, type Fields } from '../api/client.ts';
import { startGateway } from '../kit/gateway.ts';
import { createBody, created } from '../kit/kie.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { oncePerFile } from '../kit/waits.ts';
import { watchTask } from '../webhooks/called-back.ts';
import { estimate, listModels, optionsOf } from './client.ts';
import { SAMPLES } from './samples.ts';

const shared = oncePerFile(async () => {
  const provider = await startFakeProvider();
  provider.always('createTask', ({ order }) => created(`kie-${order}`));
  const gateway = await startGateway({ provider, env: { KIE_CREATES_PER_10S: '10000' } });
  return { provider, gateway };
});

const NO_OPTIONS = {
  durationSeconds: null,
  resolution: null,
  sound: null,
  negativePrompt: null,
  seed: null,
};

/** The issues of an input that must not be valid, as "field CODE"; nothing may be stored or sent for it. */
async function issuesOf(fields: NonNullable<Fields>) {
  const { gateway, provider } = await shared();
  const count = async () => [(await listTasks(gateway)).revision, provider.requests('createTask').length];
  const before = await count();
  const result = await create(gateway, fields);
  if (result.__typename !== 'ValidationError') throw new Error(JSON.stringify(result));
  expect(await count()).toEqual(before);
  return result.issues.map(({ code, message, path }) => {
    expect(path[0]).toBe('input');
    return { issue: `${path.slice(1).join('.')} ${code}`, message };
  });
}

const sandboxed = oncePerFile(() =>
  startGateway({
    sandbox: { durationMs: 10, invisibleMs: 0, createsPer10s: 10_000 },
    env: { KIE_CREATES_PER_10S: '10000' },
  }),
);

describe.each(MODELS.map(({ id }) => ({ model: id, ...SAMPLES[id] })))('$model', (sample) => {
  const { calls, model, name, notAllowed, prompt, unsupported } = sample;

  it.each(calls)('given $given sends the body of its page, and its task has the options', async (call) => {
    const { gateway, provider } = await shared();
    const task = await createTask(gateway, { model, ...call.given });
    const request = await provider.received('createTask', (one) => taskIdOf(one) === task.id);
    const { callBackUrl } = createBody(request);
    expect(request.body).toEqual({ model: name, callBackUrl, input: call.sent });
    expect(task).toMatchObject({ state: 'WAITING', model: name });
    const { modelInfo, options } = await optionsOf(gateway, task.id);
    expect(options).toEqual({ ...NO_OPTIONS, ...call.options });
    expect(modelInfo).toMatchObject({ id: model });
  });

  it.each(calls)(
    'given $given gets a video from the sandbox, which charges as the list says',
    async ({ given }) => {
      const gateway = await sandboxed();
      const estimated = await estimate(gateway, { model, ...given });
      const { id } = await createTask(gateway, { model, ...given });
      await (await watchTask(gateway, id)).completed();
      const ended = await findTask(gateway, id);
      expect(ended).toMatchObject({ state: 'SUCCESS', videos: [{}] });
      expect(estimated).toMatchObject({ credits: ended?.creditsConsumed });
    },
  );

  it('reports each field that it does not have', async () => {
    const issues = await issuesOf({ model, ...unsupported });
    const expected = Object.keys(unsupported).map((field) => `${field} NOT_SUPPORTED`);
    expect(issues.map(({ issue }) => issue).sort()).toEqual(expected.sort());
  });

  it('takes null and empty text for every field that it does not have', async () => {
    const { gateway } = await shared();
    const nothing = Object.keys(unsupported).map((field) => [field, null]);
    const empty = { endImageUrl: '', negativePrompt: '' };
    for (const fields of [Object.fromEntries(nothing) as Fields, empty])
      expect(await estimate(gateway, { model, ...fields })).toMatchObject({
        __typename: 'ImageToVideoEstimate',
      });
  });

  it('lists what it takes in place of a value or combination that it does not take', async () => {
    for (const [fields, field, listed] of notAllowed) {
      const [one, ...others] = await issuesOf({ model, ...fields });
      expect(one).toEqual({
        issue: `${field} NOT_ALLOWED`,
        message: expect.stringContaining(listed) as string,
      });
      expect(others).toEqual([]);
    }
  });

  it('takes a prompt of its least and most characters, and reports a shorter or longer one', async () => {
    const { gateway } = await shared();
    const [least, most] = prompt;
    for (const length of [least, most]) {
      const known = await estimate(gateway, { model, prompt: '🎞'.repeat(length) });
      expect(known.__typename).toBe('ImageToVideoEstimate');
    }
    const told = [`prompt ${least === 1 ? 'REQUIRED' : 'TOO_SHORT'}`, 'prompt TOO_LONG'];
    for (const [index, length] of [least - 1, most + 1].entries()) {
      const [one, ...others] = await issuesOf({ model, prompt: '🎞'.repeat(length) });
      expect(one?.issue).toBe(told[index]);
      expect(others).toEqual([]);
    }
  });
});

const WITH_NEGATIVE_PROMPT = Object.entries(SAMPLES).flatMap(([model, { negativePrompt }]) =>
  negativePrompt === undefined ? [] : [[model, negativePrompt] as const],
);
test.each(WITH_NEGATIVE_PROMPT)(
  '%s takes a negativePrompt of %i characters, and reports a longer one',
  async (model, most) => {
    const { gateway } = await shared();
    const text = '🎞'.repeat(most);
    expect((await estimate(gateway, { model, negativePrompt: text })).__typename).toBe(
      'ImageToVideoEstimate',
    );
    const [long] = await issuesOf({ model, negativePrompt: `${text}x` });
    expect(long?.issue).toBe('negativePrompt TOO_LONG');
    expect(long?.message).toContain(String(most));
    const [broken] = await issuesOf({ model, negativePrompt: 'a\0b' });
    expect(broken?.issue).toBe('negativePrompt INVALID_CHARACTERS');
  },
);

test('several wrong options are reported in one answer', async () => {
  const wrong = {
    durationSeconds: 1,
    resolution: 'P480',
    seed: -1,
    negativePrompt: 'x'.repeat(501),
    sound: true,
  };
  const issues = await issuesOf({ model: 'WAN_2_7', ...wrong });
  expect(issues.map(({ issue }) => issue).sort()).toEqual([
    'durationSeconds NOT_ALLOWED',
    'negativePrompt TOO_LONG',
    'resolution NOT_ALLOWED',
    'seed NOT_ALLOWED',
    'sound NOT_SUPPORTED',
  ]);
});

test('a model of null is the default model', async () => {
  const { gateway } = await shared();
  const { model } = await createTask(gateway, { model: null });
  expect(model).toBe('hailuo/02-image-to-video-pro');
});

test('`models` says of every model what is then accepted', async () => {
  const { gateway } = await shared();
  const models = await listModels(gateway);
  expect(models.map(({ id }) => id)).toEqual(Object.keys(SAMPLES));
  for (const one of models) {
    const { name, negativePrompt, prompt, unsupported } = SAMPLES[one.id as keyof typeof SAMPLES];
    expect(one).toMatchObject({ name, promptMinLength: prompt[0], promptMaxLength: prompt[1] });
    expect(one.negativePrompt).toBe(negativePrompt === undefined ? 'NONE' : 'OPTIONAL');
    const isThere = {
      endImageUrl: one.lastImage !== 'NONE',
      promptOptimizer: one.promptOptimizer !== 'NONE',
      durationSeconds: one.durations.length > 0,
      resolution: one.resolutions.length > 0,
      sound: one.sound !== 'NONE',
      negativePrompt: one.negativePrompt !== 'NONE',
      seed: one.seed !== 'NONE',
    };
    const missing = Object.entries(isThere).filter(([, is]) => !is);
    expect(missing.map(([field]) => field).sort()).toEqual(Object.keys(unsupported).sort());
    const choices: NonNullable<Fields>[] = [
      ...one.durations.map((durationSeconds) => ({ durationSeconds })),
      ...one.resolutions.map((resolution) => ({ resolution })),
    ];
    for (const choice of choices)
      expect([choice, await estimate(gateway, { model: one.id, ...choice })]).toEqual([
        choice,
        expect.objectContaining({ __typename: 'ImageToVideoEstimate' }),
      ]);
    expect(one.durations).toEqual(one.durations.toSorted((a, b) => a - b));
    if (one.durations.length > 0) expect(one.durations).toContain(one.defaultDuration);
    if (one.resolutions.length > 0) expect(one.resolutions).toContain(one.defaultResolution);
  }
});
