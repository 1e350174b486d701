import { existsSync } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config/config.ts';
import { StoreSchemaError } from '../../store/schema.ts';
import { assertRegularFiles, isDataDirLocked, openToOthers } from '../../store/sqlite/data-dir.ts';
import { STORE_FILE, inspectSqlite } from '../../store/sqlite/open.ts';
import { aboutSchema, findingsOf, type Finding, type StoreReport } from './findings.ts';
import { nearestPath } from './settings.ts';

const { failure, ok, warning } = findingsOf('store');

/** SQLite in DATA_DIR. */
export async function checkSqlite({ dataDir, migrate }: Config): Promise<StoreReport> {
  const file = join(dataDir, STORE_FILE);
  let isInUse = false;
  let callbackSecret: Buffer | null = null;
  async function examine(): Promise<Finding> {
    const obstacle = await obstacleTo(dataDir, file);
    if (obstacle !== null)
      return failure(
        `DATA_DIR ${dataDir} cannot be written to (${obstacle})`,
        'Make it a directory that this user may write to, or choose another.',
      );
    isInUse = isDataDirLocked(dataDir);
    const where = `SQLite in ${dataDir}, ${isInUse ? 'in use by a running gateway' : 'no gateway runs on it'}`;
    try {
      const facts = await inspectSqlite(dataDir);
      if (facts === null) return ok(`there is no database in ${dataDir} yet; the first start creates it`);
      ({ callbackSecret } = facts);
      return aboutSchema(facts, where, migrate);
    } catch (error) {
      if (error instanceof StoreSchemaError) return failure(where, error.message);
      return failure(
        `${where}; it cannot be read (${messageOf(error)})`,
        `Check who owns ${file}, or restore a backup.`,
      );
    }
  }
  return { findings: [await examine(), ...aboutModes(dataDir)], callbackSecret, isInUse };
}

/** Whether other users of this machine can read the store. */
function aboutModes(dataDir: string): readonly Finding[] {
  try {
    const paths = openToOthers(dataDir);
    if (paths.length === 0) return [];
    return [
      warning(
        `other users of this machine can read ${paths.join(', ')}`,
        'The next start of the gateway fixes that (0700 and 0600); or use chmod go-rwx.',
      ),
    ];
  } catch {
    // There is no such directory, or it is reported already.
    return [];
  }
}

/** Why a directory or the store in it could not be written to; null when it could. */
async function obstacleTo(dataDir: string, file: string): Promise<string | null> {
  try {
    const path = await nearestPath(dataDir);
    if (!(await stat(path)).isDirectory()) return 'it is not a directory';
    await access(path, constants.W_OK | constants.X_OK);
    if (existsSync(dataDir)) assertRegularFiles(dataDir);
    if (existsSync(file)) await access(file, constants.R_OK | constants.W_OK);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
