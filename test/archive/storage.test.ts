import { randomBytes } from 'node:crypto';
import { watch } from 'node:fs';
import { mkdir, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { openDiskStorage } from '../../src/archive/disk.ts';
import { StorageError } from '../../src/archive/storage.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { deferred, onTestEnd } from '../kit/waits.ts';
import { hashOf, inS3, keep, onDisk, VIDEO } from './storages.ts';

describe.each([
  ['on disk', onDisk],
  ['in S3', inS3],
])('a storage %s', (_, open) => {
  it('has an object once it is kept, in place of an earlier one, and none of a file that is discarded', async () => {
    const opened = await open();
    await keep(opened, 'task-0', randomBytes(1000));
    await keep(opened, 'task-0', VIDEO);
    const file = await opened.storage.receive();
    await file.handle.writeFile(VIDEO);
    await file.discard();
    expect(await opened.objects()).toEqual({ 'task-0.mp4': hashOf(VIDEO) });
  });

  it('reads ranges of an object, and nothing of one that is missing', async () => {
    const opened = await open();
    await keep(opened, 'task-0', VIDEO);
    for (const [start, end] of [
      [0, VIDEO.length - 1],
      [0, 0],
      [1000, 200_000],
      [VIDEO.length - 1, VIDEO.length - 1],
    ] as const) {
      const stream = await opened.storage.read('task-0', { start, end });
      expect(stream && (await buffer(stream)).equals(VIDEO.subarray(start, end + 1))).toBe(true);
    }
    expect(await opened.storage.read('task-1', { start: 0, end: 0 })).toBeNull();
  });

  it('takes no name that leads elsewhere', async () => {
    const { objects, storage } = await open();
    for (const name of ['', '.', '../task-0', 'a/b', 'a%2Fb', 'a?b', 'a\0b', 'é']) {
      await expect(keep({ storage }, name, VIDEO)).rejects.toThrow(StorageError);
      await expect(storage.read(name, { start: 0, end: 0 })).rejects.toThrow(StorageError);
      await expect(storage.delete(name)).rejects.toThrow(StorageError);
    }
    expect(await objects()).toEqual({});
  });

  it('deletes an object as often as it is asked to', async () => {
    const opened = await open();
    await keep(opened, 'task-0', VIDEO);
    for (let time = 0; time < 2; time += 1) await opened.storage.delete('task-0');
    expect(await opened.objects()).toEqual({});
  });

  it('proves that it works, and leaves nothing of that', async () => {
    const opened = await open();
    await opened.storage.probe();
    expect(await opened.objects()).toEqual({});
  });
});

describe('a storage on disk', () => {
  it('takes no video when too little of the disk would be left', async () => {
    const storage = await openDiskStorage(await temporaryDir(), { reserveBytes: Number.MAX_SAFE_INTEGER });
    onTestEnd(() => storage.close());
    await expect(storage.receive()).rejects.toThrow(/ARCHIVE_MAX_BYTES/);
  });

  it('says what to do about a directory that it cannot use', async () => {
    const directory = await temporaryDir();
    await writeFile(join(directory, 'videos'), '');
    await expect(openDiskStorage(join(directory, 'videos'))).rejects.toThrow(StorageError);
  });

  it('keeps its files from other users', async () => {
    const directory = join(await temporaryDir(), 'videos');
    const storage = await openDiskStorage(directory);
    onTestEnd(() => storage.close());
    await keep({ storage }, 'task-0', VIDEO);
    const modes = ['.', 'tmp', 'task-0.mp4'].map(
      async (path) => (await stat(join(directory, path))).mode & 0o777,
    );
    expect(await Promise.all(modes)).toEqual([0o700, 0o700, 0o600]);
  });

  it('says what to do when the directory vanishes', async () => {
    const directory = await temporaryDir();
    const storage = await openDiskStorage(directory);
    onTestEnd(() => storage.close());
    const file = await storage.receive();
    onTestEnd(file.discard);
    await rm(directory, { recursive: true });
    const facts = { sha256: '', bytes: 0 };
    for (const failing of [
      () => storage.receive(),
      () => storage.keep(file, 'task-0', facts),
      () => storage.probe(),
    ])
      await expect(failing()).rejects.toThrow(/ENOENT.*ARCHIVE=off/);
  });

  it('deletes old files of interrupted copies while it runs, and opens while others vanish', async () => {
    const directory = await temporaryDir();
    const incoming = join(directory, 'tmp');
    await mkdir(join(incoming, 'directory'), { recursive: true });
    const others = Array.from({ length: 200 }, (_, index) => join(incoming, `other-${index}`));
    await Promise.all(others.map((path) => writeFile(path, '')));
    const [storage] = await Promise.all([
      openDiskStorage(directory, { sweepMs: 10 }),
      ...others.map((path) => rm(path)),
    ]);
    onTestEnd(() => storage.close());
    await writeFile(join(incoming, 'young'), '');
    await writeFile(join(incoming, 'old'), '');
    const deleted = deferred('the old file is deleted');
    const watcher = watch(incoming, (event, name) => {
      if (event === 'rename' && name === 'old') deleted.resolve();
    });
    onTestEnd(() => {
      watcher.close();
    });
    await utimes(join(incoming, 'old'), 0, 0);
    await deleted.promise;
    expect((await readdir(incoming)).sort()).toEqual(['directory', 'young']);
  });

  it('deletes the files of interrupted copies: old ones, and all when it is alone', async () => {
    const directory = await temporaryDir();
    const incoming = join(directory, 'tmp');
    await mkdir(incoming);
    for (const name of ['old', 'new']) await writeFile(join(incoming, name), '');
    await utimes(join(incoming, 'old'), 0, 0);
    const tomorrow = Date.now() / 1000 + 86_400;
    await utimes(join(incoming, 'new'), tomorrow, tomorrow);
    await (await openDiskStorage(directory)).close();
    expect(await readdir(incoming)).toEqual(['new']);
    await (await openDiskStorage(directory, { isExclusive: true })).close();
    expect(await readdir(incoming)).toEqual([]);
  });
});

describe('a storage in S3', () => {
  it('receives videos in its directory, in files that a crash does not leave there', async () => {
    const incoming = join(await temporaryDir(), 'videos', 'tmp');
    const { storage } = await inS3({ incoming });
    const file = await storage.receive();
    onTestEnd(file.discard);
    await file.handle.writeFile(VIDEO);
    expect(await readdir(incoming)).toEqual([]);
    const [{ dev }, { dev: expected }] = [await file.handle.stat(), await stat(incoming)];
    expect(dev).toBe(expected);
  });

  it('says what to do about a directory that it cannot use', async () => {
    const incoming = join(await temporaryDir(), 'videos');
    await writeFile(incoming, '');
    const { storage } = await inS3({ incoming });
    await expect(storage.receive()).rejects.toThrow(/ARCHIVE=off/);
  });
});
