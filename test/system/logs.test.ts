import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { temporaryDir } from '../kit/gateway.ts';
import { onTestEnd } from '../kit/waits.ts';
import { MAIN, startBuilt } from '../kit/process.ts';

test('its last line says that it has stopped', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
  gateway.signal('SIGTERM');
  await gateway.exited;
  const lines = gateway.stdout().trimEnd().split('\n');
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ level: 'info', msg: 'stopped' });
});

test('every line of its output is JSON, with a level, a time and a message', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
  await fetch(`${gateway.url}/nowhere`);
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

test('a reader that goes away while nothing is logged does not keep it from ending', async () => {
  const { child, ended } = await startWithReader();
  child.stdout.destroy();
  await once(child.stdout, 'close');
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});

test('a reader that takes nothing more of its log neither holds it up nor keeps it from ending', async () => {
  const { child, ended, url } = await startWithReader();
  child.stdout.pause();

  // More than pipes and streams hold, at some 150 bytes for each request.
  for (let sent = 0; sent < 1500; sent += 100) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => fetch(`${url}/nowhere`)));
    expect(answers.every(({ status }) => status === 404)).toBe(true);
    await Promise.all(answers.map((answer) => answer.text()));
  }
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});

/** A gateway, once it listens, whose output is read by hand. */
async function startWithReader() {
  const env = { PORT: '0', DATA_DIR: await temporaryDir() };
  const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestEnd(() => void child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  let text = '';
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (text.includes('"listening"')) break;
  }
  const url = /"url":"(http:[^"]+)"/.exec(text)?.[1] ?? '';
  return { child, ended, url };
}
