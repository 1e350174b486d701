import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { temporaryDir } from '../support/gateway.ts';
import { onTestEnd } from '../support/leftovers.ts';
import { MAIN, startBuilt } from '../support/process.ts';

test('every line of its output is JSON, with a level, a time and a message', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
  await fetch(`${gateway.url}/health`);
  await gateway.logged('request');
  gateway.signal('SIGTERM');
  await gateway.exited;

  const lines = gateway.stdout().trimEnd().split('\n');
  expect(lines.length).toBeGreaterThan(2);
  for (const line of lines) {
    const { level, time, msg } = JSON.parse(line) as Readonly<Record<string, unknown>>;
    expect([level, typeof time, typeof msg]).toEqual(['info', 'string', 'string']);
  }
  expect(gateway.stderr()).toBe('');
});

test('a reader that takes nothing more of its log neither holds it up nor keeps it from ending', async () => {
  const env = { PORT: '0', DATA_DIR: await temporaryDir() };
  const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestEnd(() => void child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  let url = '';
  for await (const line of lines) {
    const logged = JSON.parse(line) as { readonly url?: string };
    if (logged.url !== undefined) {
      url = logged.url;
      break;
    }
  }
  child.stdout.pause();

  // More than pipes and streams hold, at some 150 bytes for each request.
  for (let sent = 0; sent < 1500; sent += 100) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => fetch(`${url}/health`)));
    expect(answers.every(({ ok }) => ok)).toBe(true);
    await Promise.all(answers.map((answer) => answer.text()));
  }
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});
