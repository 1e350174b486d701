import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startClient } from './client.ts';
import { hang, startReceiver, status } from './receiver.ts';

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sandbox-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

async function stateFileIn(folder?: string): Promise<string> {
  return join(folder ?? (await temporaryFolder()), 'data', 'sandbox.json');
}

describe('a restart', () => {
  it('delivers the callback that was under way, and close() does not wait for its receiver', async () => {
    const receiver = await startReceiver(hang, status(200));
    const stateFile = await stateFileIn();
    const before = await startClient({ stateFile });
    const taskId = await before.create('a page turns', receiver.url);
    await receiver.next();
    await before.close();

    await startClient({ stateFile });
    expect((await receiver.next()).body).toMatchObject({ code: 200, data: { taskId, state: 'success' } });
  });

  it('tells the end of a task that was still running', async () => {
    const receiver = await startReceiver();
    const stateFile = await stateFileIn();
    const before = await startClient({ stateFile });
    const taskId = await before.create('[sandbox: duration=200ms] [sandbox: fail=501]', receiver.url);
    await before.close();

    await startClient({ stateFile });
    expect((await receiver.next()).body.data).toMatchObject({ taskId, state: 'fail', failCode: '501' });
  });

  it('keeps balance and param, and repeats no callback that was delivered', async () => {
    const receiver = await startReceiver();
    const elsewhere = await startReceiver(hang);
    const stateFile = await stateFileIn();
    const before = await startClient({ stateFile });
    const first = await before.create('remember me', receiver.url);
    await receiver.next();
    // By the time that a later task is told, the answer to the first callback has been noted.
    await before.create('a page turns', elsewhere.url);
    await elsewhere.next();
    await before.close();

    const after = await startClient({ stateFile });
    expect(await after.credits()).toBe(10_000 - 2 * 57);
    expect((await after.record(first)).param).toContain('remember me');
    const next = await after.create('a page turns', receiver.url);
    expect((await receiver.next()).body.data['taskId']).toBe(next);
  });

  it('without a state file still knows the course of a task from its id', async () => {
    const before = await startClient();
    const taskId = await before.create('[sandbox: duration=0s] [sandbox: fail=501]');
    await before.close();

    const after = await startClient();
    expect(await after.record(taskId)).toMatchObject({ state: 'fail', failCode: '501', param: '' });
  });

  it('loses nothing that was answered, even when nobody closed the sandbox', async () => {
    const stateFile = await stateFileIn();
    const sandbox = await startClient({ stateFile });
    const taskIds = await Promise.all([1, 2, 3].map(() => sandbox.create('[sandbox: duration=1m]')));
    const onDisk = await readFile(stateFile, 'utf8');
    for (const taskId of taskIds) expect(onDisk).toContain(taskId);
  });

  it('sets a broken state file aside, says so and begins anew', async () => {
    const folder = await temporaryFolder();
    const stateFile = join(folder, 'sandbox.json');
    await writeFile(stateFile, '{"credits":12,');
    const log: string[] = [];
    const sandbox = await startClient({ stateFile, log: (message) => log.push(message) });
    expect(await sandbox.credits()).toBe(10_000);
    expect(log).toEqual([expect.stringContaining('was set aside as')]);
    const [aside = ''] = (await readdir(folder)).filter((name) => name.includes('.broken-'));
    expect(await readFile(join(folder, aside), 'utf8')).toBe('{"credits":12,');
  });

  it('goes on in memory, and says so, when the state file cannot be written', async () => {
    const stateFile = await stateFileIn();
    await mkdir(`${stateFile}.new`, { recursive: true });
    const log: string[] = [];
    const sandbox = await startClient({ stateFile, log: (message) => log.push(message) });
    const taskId = await sandbox.create('[sandbox: duration=0s]');
    expect(await sandbox.record(taskId)).toMatchObject({ state: 'success' });
    expect(log[0]).toContain(`could not write ${stateFile}`);
  });

  it('does not begin anew over a state file that cannot be read', async () => {
    const folder = await temporaryFolder();
    await expect(startClient({ stateFile: folder })).rejects.toThrow('EISDIR');
  });
});

describe('close()', () => {
  it('ends at once, whatever is waiting or connected', async () => {
    const receiver = await startReceiver(hang);
    const sandbox = await startClient();
    await sandbox.create('[sandbox: duration=24m]');
    await sandbox.create('[sandbox: duration=0s]', receiver.url);
    await receiver.next();
    await sandbox.close();
    await expect(sandbox.credits()).rejects.toThrow('fetch failed');
  });
});
