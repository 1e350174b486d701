import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { create, createTask } from '../api/client.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { created } from '../kit/kie.ts';
import { listening, ROOT, startProcess } from '../kit/process.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { estimate, listModels, optionsOf } from '../models/client.ts';

const FILE = `
import { defineModel, secondsFrom } from './define-model.ts';

export const ELEVEN = defineModel({
  id: 'ELEVEN',
  name: 'acme/eleven',
  title: 'Eleven',
  page: 'https://docs.example/eleven',
  prompt: { maxLength: 100 },
  durationSeconds: { values: secondsFrom(1, 3), default: 2 },
  price: { readAt: '2026-09', list: '7 a second', credits: ({ options }) => (options.durationSeconds ?? 0) * 7 },
  toProvider: ({ imageUrl, options, prompt }) => ({ prompt, picture: imageUrl, length: options.durationSeconds }),
});
`;

/** The sources with one more model, which takes its file and two lines of the registry. */
async function withEleven(): Promise<string> {
  const dir = await temporaryDir();
  await cp(join(ROOT, 'src'), join(dir, 'src'), { recursive: true });
  for (const name of ['package.json', 'node_modules', 'assets'])
    await symlink(join(ROOT, name), join(dir, name));
  const models = join(dir, 'src/models');
  const registry = await readFile(join(models, 'index.ts'), 'utf8');
  const changed = registry
    .replace(/^/, "import { ELEVEN } from './eleven.ts';\n")
    .replace(/\n\] as const;/, '\n  ELEVEN,\n] as const;');
  await writeFile(join(models, 'eleven.ts'), FILE);
  await writeFile(join(models, 'index.ts'), changed);
  return dir;
}

test('an eleventh model is one file and its line of the registry: it is offered, validated, priced and sent', async () => {
  const provider = await startFakeProvider();
  provider.answer('createTask', created('kie-1'));
  const dir = await withEleven();
  const env = { PORT: '0', DATA_DIR: await temporaryDir(), KIE_API_KEY: 'key', KIE_API_URL: provider.url };
  const gateway = await listening(
    startProcess(process.execPath, ['--import', 'tsx', 'src/main.ts'], env, dir),
  );
  const model = 'ELEVEN';
  const models = await listModels(gateway);
  expect(models).toHaveLength(11);
  expect(models.at(-1)).toMatchObject({ id: model, name: 'acme/eleven', durations: [1, 2, 3], seed: 'NONE' });
  expect(await create(gateway, { model, durationSeconds: 4, seed: 1 })).toMatchObject({
    issues: [
      { path: ['input', 'seed'], code: 'NOT_SUPPORTED' },
      { path: ['input', 'durationSeconds'], code: 'NOT_ALLOWED' },
    ],
  });
  expect(await estimate(gateway, { model })).toMatchObject({ credits: 14, source: 'PRICE_LIST' });
  const { id } = await createTask(gateway, { model, durationSeconds: 3 });
  expect((await provider.received('createTask')).body).toEqual({
    model: 'acme/eleven',
    input: {
      prompt: 'slow push-in, snow falling',
      picture: 'https://files.example/first.png',
      length: 3,
    },
  });
  expect(await optionsOf(gateway, id)).toMatchObject({
    options: { durationSeconds: 3 },
    modelInfo: { id: model },
  });
});
