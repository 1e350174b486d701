import { access, constants, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { archiveKind, openVideoStorage, videosDir } from '../../app/open-archive.ts';
import { freeBytes, RESERVE_BYTES } from '../../archive/room.ts';
import type { Config } from '../../config/config.ts';
import { describeVideos } from '../banner.ts';
import { findingsOf, type Finding } from './findings.ts';
import { nearestPath } from './settings.ts';

const { failure, ok, warning } = findingsOf('archive');

const ON = 'Set ARCHIVE=s3 with ARCHIVE_S3_URL and AWS_…, or ARCHIVE=disk (docs/videos.md).';

/** Whether copies of videos can be kept. Changes nothing on disk; in S3 an object is stored and deleted. */
export async function checkArchive(config: Config): Promise<Finding> {
  const where = describeVideos(config);
  switch (archiveKind(config)) {
    case 'off':
      return config.kieApiKey === null
        ? ok('no copies of videos are kept (ARCHIVE is off)')
        : warning(
            'no copies of videos are kept: kie.ai deletes each video after days, and its URL then leads nowhere',
            ON,
          );
    case 'disk':
      return checkDirectory(videosDir(config), where);
    case 's3': {
      const local = await checkDirectory(videosDir(config), `received in ${videosDir(config)}`);
      return local.status === 'failure' ? local : checkS3(config, where);
    }
  }
}

const MIB = 1024 * 1024;
const LOW_BYTES = 5 * 1024 * MIB;

async function checkDirectory(directory: string, where: string): Promise<Finding> {
  try {
    const path = await nearestPath(directory);
    if (!(await stat(path)).isDirectory()) throw new Error('it is not a directory');
    await access(path, constants.W_OK | constants.X_OK);
    return judgeRoom(where, await freeBytes(path));
  } catch (error) {
    return failure(
      `${directory} cannot be written to (${error instanceof Error ? error.message : String(error)})`,
      'Make it a directory that this user may write to, or choose another DATA_DIR.',
    );
  }
}

/** The finding about so many free bytes for copies. */
export function judgeRoom(where: string, bytes: number): Finding {
  const message = `videos are ${where}; ${Math.floor(bytes / MIB)} MiB are free`;
  if (bytes >= LOW_BYTES) return ok(message);
  const mend = 'Free some space, enlarge the disk, or set ARCHIVE_MAX_BYTES or ARCHIVE_KEEP_DAYS.';
  return bytes >= RESERVE_BYTES
    ? warning(message, mend)
    : failure(`${message}: below ${RESERVE_BYTES / MIB} MiB nothing is copied`, mend);
}

/** Less than a check may take. */
const PROBE_MS = 8000;

async function checkS3(config: Config, where: string): Promise<Finding> {
  const storage = await openVideoStorage(config);
  const done = new AbortController();
  const late = delay(PROBE_MS, 'late' as const, { signal: done.signal });
  late.catch(() => undefined);
  try {
    const result = await Promise.race([storage?.probe(), late]);
    if (result !== 'late') return ok(`videos are ${where}; an object was stored, read and deleted`);
    return failure(
      `videos are to be ${where}, which did not answer within ${PROBE_MS / 1000} s`,
      'Check ARCHIVE_S3_URL, and that a firewall lets this machine out.',
    );
  } catch (error) {
    const [, message = '', mend] = /^(.*?)\. (.*)$/s.exec(error instanceof Error ? error.message : '') ?? [];
    return failure(message, mend ?? 'Check ARCHIVE_S3_URL and the settings AWS_….');
  } finally {
    done.abort();
    await storage?.close();
  }
}
