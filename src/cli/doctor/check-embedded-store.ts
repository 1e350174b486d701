import { existsSync } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config.ts';
import { isDataDirLocked } from '../../store/data-dir.ts';
import { inspectSqlite } from '../../store/inspect-sqlite.ts';
import { STORE_FILE } from '../../store/sqlite.ts';
import { StoreFormError } from '../../store/store-form-error.ts';
import { findingsOf, type Finding } from './finding.ts';
import { nearestPath } from './nearest-path.ts';
import { aboutForm, type StoreReport } from './store-report.ts';

const { failure, ok } = findingsOf('store');

/** SQLite in DATA_DIR. */
export async function checkEmbeddedStore(config: Config): Promise<StoreReport> {
  const { dataDir } = config;
  const report = (finding: Finding, facts: Partial<StoreReport> = {}): StoreReport => ({
    findings: [finding],
    callbackSecret: null,
    isInUse: false,
    ...facts,
  });
  const obstacle = await obstacleTo(dataDir);
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
    const facts = await inspectSqlite(dataDir);
    if (facts === null)
      return report(ok(`there is none in ${dataDir} yet; the first start makes it`), { isInUse });
    return report(aboutForm(facts, where, config), { callbackSecret: facts.callbackSecret, isInUse });
  } catch (error) {
    if (error instanceof StoreFormError) return report(failure(where, error.message), { isInUse });
    return report(
      failure(
        `${where}; it cannot be read (${error instanceof Error ? error.message : String(error)})`,
        `Look at who owns ${join(dataDir, STORE_FILE)}, or restore a backup.`,
      ),
      { isInUse },
    );
  }
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
