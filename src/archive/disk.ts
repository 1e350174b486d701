import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { assertRoom, codeOf, failureOf } from './room.ts';
import { fileOf, type IncomingFile, type VideoStorage } from './storage.ts';

interface DiskOptions {
  /** Whether no other process uses the directory. */
  readonly isExclusive?: boolean;
  /** Bytes that have to stay free for everything else on the disk. */
  readonly reserveBytes?: number;
  /** Interval of sweeps, in ms. */
  readonly sweepMs?: number;
}

/** A copy that is being made is written to more often. */
const ABANDONED_MS = 10 * 60_000;
const SWEEP_MS = 60 * 60_000;

/** Keeps objects as files of a directory. Rejects with StorageError if the directory cannot be used. */
export async function openDiskStorage(directory: string, options: DiskOptions = {}): Promise<VideoStorage> {
  const { isExclusive = false, reserveBytes, sweepMs = SWEEP_MS } = options;
  const incoming = join(directory, 'tmp');
  const paths = new WeakMap<IncomingFile, string>();
  const pathOf = (name: string): string => join(directory, fileOf(name));
  const failing = (error: unknown): never => {
    throw failureOf(directory, error);
  };

  const created = await mkdir(incoming, { recursive: true, mode: 0o700 }).catch(failing);
  if (created !== undefined) await syncDirectory(dirname(created)).catch(failing);
  // All of them when nobody else may be writing, whatever the clock says of their age.
  await sweep(incoming, isExclusive ? -Infinity : ABANDONED_MS).catch(failing);
  const timer = setInterval(() => {
    // The next sweep, or the next start, gets what this one could not delete.
    sweep(incoming, ABANDONED_MS).catch(() => undefined);
  }, sweepMs);
  timer.unref();

  async function receive(): Promise<IncomingFile> {
    await assertRoom(directory, reserveBytes);
    const path = join(incoming, randomUUID());
    const handle = await open(path, 'wx+', 0o600).catch(failing);
    const file = {
      handle,
      async discard() {
        await handle.close().catch(failing);
        await rm(path, { force: true }).catch(failing);
      },
    };
    paths.set(file, path);
    return file;
  }

  async function keep(file: IncomingFile, name: string): Promise<void> {
    const path = paths.get(file);
    if (path === undefined) throw new Error('the file is not of this storage');
    const target = pathOf(name);
    await file.handle.sync().catch(failing);
    await rename(path, target).catch(failing);
    await syncDirectory(directory).catch(failing);
  }

  async function remove(name: string): Promise<void> {
    await unlink(pathOf(name)).catch(nullIfMissing).catch(failing);
  }

  return {
    receive,
    keep,
    async read(name, { end, start }) {
      const handle = await open(pathOf(name)).catch(nullIfMissing).catch(failing);
      return handle?.createReadStream({ start, end }) ?? null;
    },
    link: () => Promise.resolve(null),
    delete: remove,
    async probe() {
      const name = `kineograph-probe-${randomUUID()}`;
      const file = await receive();
      try {
        await file.handle.writeFile('kineograph').catch(failing);
        await keep(file, name);
        await readFile(pathOf(name)).catch(failing);
      } finally {
        await file.discard();
        await remove(name);
      }
    },
    close() {
      clearInterval(timer);
      return Promise.resolve();
    },
  };
}

/** Deletes the files of interrupted copies: those that nobody has written for so long. */
async function sweep(directory: string, forMs: number): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    // Another process may keep or delete its file meanwhile.
    const found = await stat(path).catch(nullIfMissing);
    if (found?.isFile() && Date.now() - found.mtimeMs >= forMs) await rm(path, { force: true });
  }
}

/** A renamed file survives a power cut once its directory is on the disk. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory);
  await handle.sync().finally(() => handle.close());
}

function nullIfMissing(error: unknown): null {
  if (codeOf(error) === 'ENOENT') return null;
  throw error;
}
