import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { SQLITE_PACKAGE } from '../../../src/store/better-sqlite3.ts';
import { ROOT, startProcess } from '../../support/process.ts';

/** Runs npm in a directory to its end, which has to be a good one. Returns what it wrote to stdout. */
export async function npm(args: readonly string[], directory: string): Promise<string> {
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  const run = startProcess('npm', [...args, ...quiet], {}, directory);
  const { code } = await run.exited;
  if (code !== 0) throw new Error(`npm ${args.join(' ')}: ${run.stderr()}`);
  return run.stdout();
}

/**
 * Gives better-sqlite3 12, where Node.js needs that, the binary that its install script made for the project: making another
 * one takes a minute, and would be the same. Newer versions have theirs in the package.
 */
export async function takeBinary(directory: string): Promise<void> {
  if (SQLITE_PACKAGE === 'better-sqlite3') return;
  const path = `node_modules/${SQLITE_PACKAGE}/build/Release/better_sqlite3.node`;
  await cp(join(ROOT, path), join(directory, path));
}
