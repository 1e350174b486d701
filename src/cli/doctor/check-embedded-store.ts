import { existsSync } from 'node:fs';
import { access, constants, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config/config.ts';
import { isDataDirLocked, openToOthers } from '../../store/sqlite/data-dir.ts';
import { inspectSqlite } from '../../store/sqlite/inspect.ts';
import { STORE_FILE } from '../../store/sqlite/open.ts';
import { StoreSchemaError } from '../../store/schema.ts';
import { findingsOf, type Finding } from './findings.ts';
import { nearestPath } from './check-disk.ts';
import { aboutSchema, type StoreReport } from './store-report.ts';

const { failure, ok, warning } = findingsOf('store');

/** SQLite in DATA_DIR. */
export async function checkEmbeddedStore(config: Config): Promise<StoreReport> {
  const { dataDir } = config;
  const obstacle = await obstacleTo(dataDir);
  const modes = obstacle === null ? aboutModes(dataDir) : [];
  const report = (finding: Finding, facts: Partial<StoreReport> = {}): StoreReport => ({
    findings: [finding, ...modes],
    callbackSecret: null,
    isInUse: false,
    ...facts,
  });
  if (obstacle !== null)
    return report(
      failure(
        `DATA_DIR ${dataDir} cannot be written to (${obstacle})`,
        'Make it a directory that this user may write to, or choose another.',
      ),
    );
  const isInUse = isDataDirLocked(dataDir);
  const where = `SQLite in ${dataDir}, ${isInUse ? 'in use by a running gateway' : 'no gateway runs on it'}`;
  try {
    const lack = isInUse ? null : await lackOf(join(dataDir, STORE_FILE));
    if (lack !== null)
      return report(failure(`${where}; ${lack}`, 'Restore a backup: this file is not whole.'), { isInUse });
    const facts = await inspectSqlite(dataDir);
    if (facts === null)
      return report(ok(`there is no database in ${dataDir} yet; the first start creates it`), { isInUse });
    return report(aboutSchema(facts, where, config), { callbackSecret: facts.callbackSecret, isInUse });
  } catch (error) {
    if (error instanceof StoreSchemaError) return report(failure(where, error.message), { isInUse });
    return report(
      failure(
        `${where}; it cannot be read (${error instanceof Error ? error.message : String(error)})`,
        `Look at who owns ${join(dataDir, STORE_FILE)}, or restore a backup.`,
      ),
      { isInUse },
    );
  }
}

/**
 * What its size says against a database file; null when nothing does. While a gateway writes to it, it may be short for a
 * moment. https://www.sqlite.org/fileformat.html#the_database_header
 */
async function lackOf(path: string): Promise<string | null> {
  if (!existsSync(path)) return null;
  const file = await open(path);
  try {
    const { buffer: header, bytesRead } = await file.read(Buffer.alloc(100), 0, 100, 0);
    // Another file, or a new one whose first pages are still in its log: SQLite knows what to say.
    if (bytesRead < 100 || header.toString('latin1', 0, 15) !== 'SQLite format 3') return null;
    const pageSize = header.readUInt16BE(16);
    const expected = (pageSize === 1 ? 65_536 : pageSize) * header.readUInt32BE(28);
    const { size } = await file.stat();
    return size < expected ? `its file is cut short: ${size} of ${expected} bytes` : null;
  } finally {
    await file.close();
  }
}

/** Whether other users of this machine can read what is kept. */
function aboutModes(dataDir: string): readonly Finding[] {
  if (!existsSync(dataDir)) return [];
  const paths = openToOthers(dataDir);
  if (paths.length === 0) return [];
  return [
    warning(
      `other users of this machine can read ${paths.join(', ')}`,
      'The next start of the gateway closes them (0700 and 0600); or use chmod go-rwx.',
    ),
  ];
}

/** Why a directory or the store in it could not be written to; null when it could. */
async function obstacleTo(dataDir: string): Promise<string | null> {
  try {
    const path = await nearestPath(dataDir);
    if (!(await stat(path)).isDirectory()) return 'it is not a directory';
    await access(path, constants.W_OK | constants.X_OK);
    const store = join(dataDir, STORE_FILE);
    if (existsSync(store)) await access(store, constants.R_OK | constants.W_OK);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
