import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { temporaryDir } from '../support/gateway.ts';
import { ROOT, startBuilt, startProcess } from '../support/process.ts';
import { createTask } from './client.ts';

const README = readFileSync(`${ROOT}README.md`, 'utf8');

test('the graphql-ws client of the README, copied and pasted, sees a task to its end', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
  const { id } = await createTask(gateway.graphqlUrl, { prompt: 'snow [sandbox: duration=1s]' });

  const [script = ''] = shellBlocks().filter((block) => block.includes('graphql-ws'));
  const here = script.replaceAll('127.0.0.1:4000', new URL(gateway.url).host);
  expect(here).not.toBe(script);
  const client = startProcess('bash', ['-c', here], { ID: id });
  expect(await client.exited).toEqual({ code: 0, signal: null });
  expect(client.stdout()).toMatch(
    /^((WAITING|QUEUING|GENERATING) \n)*SUCCESS http:\/\/127\.0\.0\.1:\d+\/sandbox\/files\/.+\.mp4\n$/,
  );
});

test('every script that the README names exists', () => {
  const manifest = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as {
    scripts: Record<string, string>;
  };
  const named = [...README.matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name);
  expect(named.length).toBeGreaterThan(4);
  expect(named.filter((name) => !(name in manifest.scripts))).toEqual([]);
});

function shellBlocks(): string[] {
  return [...README.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block);
}
