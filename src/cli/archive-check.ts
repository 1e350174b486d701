import type { Kysely } from 'kysely';
import type { Writable } from 'node:stream';
import { archiveKind, openVideoStorage } from '../app/open-archive.ts';
import { locationOf } from '../app/open-store.ts';
import { measureObject } from '../archive/measure.ts';
import { StorageError, type ReceivedFile, type VideoStorage } from '../archive/storage.ts';
import { parseConfig } from '../config/config.ts';
import { openReader } from '../store/open-connections.ts';
import type { Database } from '../store/schema.ts';
import { isRecorded, recordedCopies, type RecordedCopy } from '../store/stored-copies.ts';
import { EXIT } from './exit.ts';

/** What is in an object: its facts, that there is none, or why it cannot be read to its end. */
type Content = ReceivedFile | null | { readonly error: string };

/**
 * Reads every stored object once, prints the copies that are missing or wrong, and returns the exit code. Throws ConfigError for a
 * wrong environment, and an error that says what to do if the store or the storage cannot be used.
 */
export async function checkCopies(
  env: Readonly<Record<string, string | undefined>>,
  stdout: Writable,
): Promise<number> {
  const config = parseConfig(env);
  if (archiveKind(config) === 'off')
    throw new Error('ARCHIVE is off: no copies are kept. Run this with the settings of the gateway.');
  const { close, db } = await openReader(locationOf(config));
  try {
    const storage = await openVideoStorage(config, true);
    if (!storage) return EXIT.ok;
    try {
      return await checkAll(db, storage, stdout);
    } finally {
      await storage.close();
    }
  } finally {
    await close();
  }
}

async function checkAll(db: Kysely<Database>, storage: VideoStorage, stdout: Writable): Promise<number> {
  const counts = { copies: 0, objects: 0, bytes: 0, wrong: 0 };
  let object: string | null = null;
  let content: Content = null;
  for await (const copy of recordedCopies(db)) {
    if (copy.object !== object) {
      object = copy.object;
      content = await read(storage, copy);
      counts.objects += 1;
      if (content && 'bytes' in content) counts.bytes += content.bytes;
    }
    counts.copies += 1;
    const fault = faultOf(copy, content);
    // A gateway may have deleted the copy after it was listed.
    if (fault === null || !(await isRecorded(db, copy))) continue;
    counts.wrong += 1;
    stdout.write(`task ${copy.taskId}, video ${copy.place}: ${fault}\n`);
  }
  const { bytes, copies, objects, wrong } = counts;
  stdout.write(`Read ${objects} objects with ${bytes} bytes, for ${copies} copies: ${wrong} wrong.\n`);
  return wrong === 0 ? EXIT.ok : EXIT.failed;
}

async function read(storage: VideoStorage, { bytes, object }: RecordedCopy): Promise<Content> {
  try {
    return await measureObject(storage, object, bytes);
  } catch (error) {
    // The storage does not work at all: other objects would not be read either.
    if (error instanceof StorageError) throw error;
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

/** What is wrong with a copy; null for nothing. */
function faultOf(
  { bytes, hasTask, object, sha256, taskSha256 }: RecordedCopy,
  content: Content,
): string | null {
  const name = `${object}.mp4`;
  if (!hasTask) return `${name} is of a task that is not in the store`;
  if (taskSha256 !== sha256)
    return `the task ${taskSha256 === null ? 'does not say that it is stored' : 'names another hash'} (${name})`;
  if (content === null) return `${name} is missing`;
  if ('error' in content) return `${name} cannot be read: ${content.error}`;
  if (content.bytes !== bytes)
    return `${name} has ${content.bytes > bytes ? `more than ${bytes}` : `${content.bytes} of ${bytes}`} bytes`;
  return content.sha256 === sha256 ? null : `${name} has other bytes than were stored`;
}
