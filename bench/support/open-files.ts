import { readFile } from 'node:fs/promises';

/** Throws an error that says what to do when a process may not have this many files and sockets open. */
export async function assertEnoughFiles(needed: number): Promise<void> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const allowed = Number(/Max open files\s+(\d+)/.exec(limits)?.[1] ?? Infinity);
  if (allowed < needed)
    throw new Error(
      `${needed} open files are needed and ${allowed} allowed; raise it with: ulimit -n ${needed}`,
    );
}
