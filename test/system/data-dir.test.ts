import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openSqliteStore } from '../kit/store.ts';
import { insertVisible } from '../store/records.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { onTestEnd } from '../kit/waits.ts';
import { startProcess, type TestProcess } from '../kit/process.ts';

const HOLDER = fileURLToPath(new URL('store-holder.ts', import.meta.url));

/** Another process that writes to the store in a directory; see there. */
function startHolder(dataDir: string): TestProcess {
  return startProcess(process.execPath, ['--import', 'tsx', HOLDER, dataDir]);
}

/** The store in a directory, opened by this process. */
async function openStore(dataDir: string) {
  const store = await openSqliteStore(dataDir);
  onTestEnd(() => store.close());
  return store;
}

test('a data directory in use by another process is refused, again and again, and free when that one was killed', async () => {
  const dataDir = await temporaryDir();
  const holder = startHolder(dataDir);
  await holder.line(() => true);
  for (let n = 0; n < 3; n += 1)
    await expect(openStore(dataDir)).rejects.toThrow(
      `DATA_DIR ${dataDir} is in use by another Kineograph process.`,
    );
  holder.signal('SIGKILL');
  await holder.exited;
  await expect(openStore(dataDir)).resolves.toBeDefined();
});

test('a process keeps its data directory after it refused it to itself: another one is refused too', async () => {
  const dataDir = await temporaryDir();
  const store = await openStore(dataDir);
  await expect(openStore(dataDir)).rejects.toThrow('in use');
  const holder = startHolder(dataDir);
  expect((await holder.exited).code).toBe(1);
  expect(holder.stderr()).toContain(`DATA_DIR ${dataDir} is in use by another Kineograph process.`);
  expect(holder.stdout()).toBe('');
  await store.close();
  await startHolder(dataDir).line(() => true);
});

test('a process that is killed while it writes loses nothing that it acknowledged', async () => {
  const dataDir = await temporaryDir();
  let before = 0;
  for (let life = 0; life < 3; life += 1) {
    const holder = startHolder(dataDir);
    for (let n = 0; n < 50; n += 1) await holder.line(() => true);
    holder.signal('SIGKILL');
    await holder.exited;

    const store = await openStore(dataDir);
    const complete = holder.stdout().split('\n').slice(0, -1);
    for (const line of complete) {
      const { id, revision } = JSON.parse(line) as { id: string; revision: number };
      expect(revision).toBeGreaterThan(before);
      expect(await store.find('ann', id)).toMatchObject({ revision });
    }
    const newest = await store.newestRevision();
    before = (await insertVisible(store, { id: `life-${life}` })).revision;
    expect(before).toBeGreaterThan(newest);
    await store.close();
  }
});
