import { PassThrough } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { checkModels } from '../src/cli/check-models.ts';
import { compareModel } from '../src/cli/compare-model.ts';
import { listModels } from '../src/cli/models.ts';
import { runProgram } from '../src/cli/program.ts';
import { DEFAULT_MODEL, MODELS } from '../src/models/index.ts';
import { startSandbox } from '../src/sandbox/sandbox.ts';
import { refused } from './kit/kie.ts';
import { startFakeProvider, type Answer } from './kit/provider.ts';
import { onTestEnd } from './kit/waits.ts';

function printedOn(stream: PassThrough): string {
  return String(stream.read() ?? '');
}

it('models lists every model with its values, defaults and price', () => {
  const stdout = new PassThrough();
  listModels(stdout);
  const text = printedOn(stdout);
  for (const { id, name, title } of MODELS)
    expect(text).toMatch(new RegExp(`^${id}\n +title +${title}.*\n +provider id +${name}\n(.*\n){4}`, 'm'));
  expect(text).toContain(`${MODELS[0].id}
  title       Hailuo 02 Pro (the default)
  provider id hailuo/02-image-to-video-pro
  seconds     always 6
  resolution  always P1080
  also        last image, prompt optimizer
  credits     57 a video (2026-09)
`);
  expect(text).toContain(`
  seconds     2 to 15, default 5
  resolution  P720 or P1080, default P1080
  also        last image, negative prompt, seed, prompt optimizer
`);
});

/** What the check prints about a provider, and its exit code. */
async function check(url: string, pause: (ms: number) => Promise<unknown> = () => Promise.resolve()) {
  const stdout = new PassThrough();
  const code = await checkModels({ KIE_API_KEY: 'the-key', KIE_API_URL: url }, stdout, pause);
  return { code, text: printedOn(stdout) };
}

async function startCatalogue(lookupsPerS?: number): Promise<string> {
  const sandbox = await startSandbox({ hmacKey: '', ...(lookupsPerS !== undefined && { lookupsPerS }) });
  onTestEnd(() => sandbox.close());
  return sandbox.url;
}

/** A provider with the catalogue of the sandbox, in which JSON texts are replaced. */
async function startChanged(part: string, ...replaced: readonly (readonly [from: string, to: string])[]) {
  const [sandbox, provider] = [await startCatalogue(1_000), await startFakeProvider()];
  provider.always('catalogue', async ({ path }) => {
    const answer = await fetch(sandbox + path, { headers: { authorization: 'Bearer key' } });
    const json = await answer.text();
    if (!path.endsWith(part)) return { body: json };
    for (const [from] of replaced) expect(json).toContain(from);
    return { body: replaced.reduce((changed, [from, to]) => changed.replaceAll(from, to), json) };
  });
  return provider.url;
}

describe('models check', () => {
  it('finds no difference between the registry and the sandbox, with one look-up in a second', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestEnd(() => void vi.useRealTimers());
    const { code, text } = await check(await startCatalogue(), (ms) => {
      vi.advanceTimersByTime(ms);
      return Promise.resolve();
    });
    const blocks = MODELS.map(
      ({ id, name }) => `${id} \\(${name}\\)\n  credits there: .*\n  credits here: .*\n`,
    );
    expect(text).toMatch(new RegExp(`^${blocks.join('')}\nNothing differs\\.\n$`));
    expect(code).toBe(0);
  });

  it('names the models that were added and removed, with their prices', async () => {
    const url = await startChanged('/models', [
      '"model":"wan/2-7-image-to-video","slug":"wan/2-7-image-to-video","title":"Wan',
      '"model":"wan/3-image-to-video","title":"\\u001b[31mWan\\n',
    ]);
    const { code, text } = await check(url);
    expect(text).toContain(
      'WAN_2_7 (wan/2-7-image-to-video)\n  removed: the provider does not list it\n  credits here: 16',
    );
    expect(text).toMatch(/\nwan\/3-image-to-video\n {2}added: \[31mWan 2\.7.*\n {2}credits there: A second/);
    expect(text).toMatch(/\n1 added, 1 removed, 0 changed\.\n$/);
    expect(code).toBe(1);
  });

  it('does not report new models of other kinds', async () => {
    const url = await startChanged('/models', [
      '"models":[',
      '"models":[{"model":"a","taskType":["Text to Video"]},',
    ]);
    expect((await check(url)).code).toBe(0);
  });

  it.each<readonly [model: string, from: string, to: string, differences: readonly string[]]>([
    [
      'hailuo/02-image-to-video-standard',
      '["512P","768P"]',
      '["768P","4K"]',
      ['resolution: the provider does not take "512P"', 'resolution: the provider also takes "4K"'],
    ],
    [
      'hailuo/02-image-to-video-standard',
      '"default":"10"',
      '"default":"6"',
      ['duration: default is "6" there, "10" here'],
    ],
    [
      'kling-2.6/image-to-video',
      '"maxLength":1000',
      '"maxLength":2000',
      ['prompt: maxLength is 2000 there, 1000 here'],
    ],
    [
      'kling-2.6/image-to-video',
      'image_urls',
      'images',
      [
        'images: the provider requires it, and Kineograph does not send it',
        'image_urls: Kineograph sends it, and the provider does not have it',
      ],
    ],
    [
      'minimax-h3/image-to-video',
      '"type":"integer"',
      '"type":"string"',
      ['duration: type is "string" there, "integer" here'],
    ],
    ['bytedance/seedance-2-mini', '"minLength":3', '"minLength":5', ['prompt: minLength is 5 there, 3 here']],
    ['wan/2-7-image-to-video', '2147483647', '99', ['seed: maximum is 99 there, 2147483647 here']],
  ])('says what has changed in %s when %s becomes %s', async (model, from, to, differences) => {
    const { code, text } = await check(await startChanged(`/${model}/schema`, [from, to]));
    const lines = differences.map((difference) => `  changed: ${difference}\n`);
    expect(text).toContain(` (${model})\n${lines.join('')}  credits there: `);
    expect(text).toMatch(/\n0 added, 0 removed, 1 changed\.\n$/);
    expect(code).toBe(1);
  });

  it.each([
    ['is null', '"openapi":{', '"openapi":null,"other":{'],
    ['is of an unknown kind', '"/api/v1/jobs/createTask"', '"/api/v2/tasks"'],
  ])('says so when the schema of a model %s, and compares the others', async (_, from, to) => {
    const { code, text } = await check(await startChanged('/wan/2-7-image-to-video/schema', [from, to]));
    expect(text).toContain('WAN_2_7 (wan/2-7-image-to-video)\n  schema not known\n  credits there: ');
    expect([code, text.match(/schema not known/g)?.length]).toEqual([0, 1]);
  });

  it('follows the references of a schema', () => {
    const schema = { properties: { input: { $ref: '#/components/schemas/the%20input' } } };
    const post = { requestBody: { content: { 'application/json': { schema } } } };
    const prompt = { $ref: '#/components/schemas/words' };
    const image_url = { type: ['string', 'null'] };
    const components = {
      schemas: {
        'the input': { properties: { prompt, image_url, end_image_url: {}, prompt_optimizer: {} } },
        words: { type: 'string', maxLength: 99 },
      },
    };
    expect(
      compareModel(DEFAULT_MODEL, { paths: { '/api/v1/jobs/createTask': { post } }, components }),
    ).toEqual(['prompt: maxLength is 99 there, 1500 here']);
  });
});

/** The exit code of `models check`, and all that it prints. */
async function run(env: Readonly<Record<string, string>>) {
  const output = new PassThrough();
  const process = {
    env,
    stdout: output,
    stderr: output,
    exitCode: undefined as unknown,
    exit(code: number): void {
      process.exitCode = code;
    },
  };
  await runProgram(['models', 'check'], process as unknown as NodeJS.Process);
  return { code: process.exitCode, text: printedOn(output) };
}

describe('models check ends', () => {
  it.each<readonly [what: string, env: Readonly<Record<string, string>>, message: RegExp]>([
    ['without a key', {}, /KIE_API_KEY is not set: the catalogue needs the key/],
    ['with a wrong setting', { KIE_API_KEY: 'the-key', PORT: 'x' }, /PORT="x": expected/],
  ])('with code 78 %s', async (_, env, message) => {
    const { code, text } = await run(env);
    expect([code, text]).toEqual([78, expect.stringMatching(message)]);
  });

  it.each<readonly [what: string, answer: Answer, message: RegExp]>([
    ['rejects the key', refused(401, 'No'), /rejects the key in KIE_API_KEY\. Set the key from/],
    [
      'admits no more',
      refused(429, 'Too many'),
      /code 429 \(RATE_LIMITED\): Too many\. docs\/errors\.md says/,
    ],
    ['answers with a page', { body: '<html>' }, /with a page \(HTTP 200\) .*\. Check KIE_API_URL/],
    [
      'answers otherwise',
      { body: { code: 200, data: [] } },
      /a catalogue of an unknown form\. Install a newer/,
    ],
    [
      'lists no model',
      { body: { code: 200, data: { models: [] } } },
      /\n0 added, 10 removed, 0 changed\.\n$/,
    ],
  ])('with code 1 when the provider %s', async (_, answer, message) => {
    const provider = await startFakeProvider();
    provider.always('catalogue', answer);
    const { code, text } = await run({ KIE_API_KEY: 'the-key', KIE_API_URL: provider.url });
    expect([code, text]).toEqual([1, expect.stringMatching(message)]);
  });

  it('with code 1 when the provider cannot be reached', async () => {
    const { code, text } = await run({ KIE_API_KEY: 'the-key', KIE_API_URL: 'http://127.0.0.1:1' });
    expect([code, text]).toEqual([1, expect.stringContaining('cannot be reached: ')]);
  });
});
