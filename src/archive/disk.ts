import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { StorageError, type IncomingFile, type VideoStorage } from './storage.ts';

interface DiskOptions {
  /** Whether no other process uses the directory. */
  readonly isExclusive?: boolean;
  /** Bytes that have to stay free for everything else on the disk. */
  readonly reserveBytes?: number;
}

const RESERVE_BYTES = 512 * 1024 * 1024;
/** A copy that is being made is written to more often. */
const ABANDONED_MS = 10 * 60_000;
const SWEEP_MS = 60 * 60_000;

/** Keeps objects as files of a directory. Rejects with StorageError if the directory cannot be used. */
export async function openDiskStorage(directory: string, options: DiskOptions = {}): Promise<VideoStorage> {
  const { isExclusive = false, reserveBytes = RESERVE_BYTES } = options;
  const incoming = join(directory, 'tmp');
  const paths = new WeakMap<IncomingFile, string>();
  const pathOf = (name: string): string => join(directory, `${name}.mp4`);
  const failing = (error: unknown): never => {
    throw new StorageError(
      `${directory}: ${error instanceof Error ? error.message : String(error)}. ${ADVICE}`,
      {
        cause: error,
      },
    );
  };

  await mkdir(incoming, { recursive: true, mode: 0o700 }).catch(failing);
  await sweep(incoming, isExclusive ? 0 : ABANDONED_MS).catch(failing);
  const timer = setInterval(() => {
    // The next sweep, or the next start, gets what this one could not delete.
    sweep(incoming, ABANDONED_MS).catch(() => undefined);
  }, SWEEP_MS);
  timer.unref();

  async function receive(): Promise<IncomingFile> {
    const { bavail, bsize } = await statfs(directory).catch(failing);
    if (bavail * bsize < reserveBytes)
      throw new StorageError(
        `${directory} has less than ${Math.ceil(reserveBytes / 1024 ** 2)} MiB left. Free some, enlarge the disk, or limit the copies with ARCHIVE_MAX_BYTES or ARCHIVE_KEEP_DAYS.`,
      );
    const path = join(incoming, randomUUID());
    const handle = await open(path, 'wx+', 0o600).catch(failing);
    const file = {
      handle,
      async discard() {
        await handle.close();
        await rm(path, { force: true });
      },
    };
    paths.set(file, path);
    return file;
  }

  return {
    receive,
    async keep(file, name) {
      const path = paths.get(file);
      if (path === undefined) throw new Error('the file is not of this storage');
      await file.handle.sync().catch(failing);
      await rename(path, pathOf(name)).catch(failing);
      await syncDirectory(directory).catch(failing);
    },
    async read(name, { end, start }) {
      const handle = await open(pathOf(name)).catch(nullIfMissing).catch(failing);
      return handle?.createReadStream({ start, end }) ?? null;
    },
    link: () => Promise.resolve(null),
    async delete(name) {
      await unlink(pathOf(name)).catch(nullIfMissing).catch(failing);
    },
    async probe() {
      const file = await receive();
      await file.handle.writeFile('probe').finally(file.discard).catch(failing);
    },
    close() {
      clearInterval(timer);
      return Promise.resolve();
    },
  };
}

const ADVICE = 'Make the directory one that this user may write to, or set ARCHIVE=off.';

/** Deletes the files of interrupted copies: those that nobody has written to for so long. */
async function sweep(directory: string, forMs: number): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs >= forMs) await rm(path, { force: true });
  }
}

/** A renamed file survives a power cut once its directory is on the disk. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory);
  await handle.sync().finally(() => handle.close());
}

function nullIfMissing(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
  throw error;
}
