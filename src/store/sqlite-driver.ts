import type * as Driver from '@photostructure/sqlite';

export type SqliteDatabase = Driver.DatabaseSyncInstance;
export type SqliteStatement = Driver.StatementSyncInstance;

/** The first version of Node.js whose own `node:sqlite` prints no warning (nodejs/node#61262). */
const BUILT_IN = { major: 24, minor: 15 };

/** Result codes of SQLite, without what extends them: https://sqlite.org/rescode.html. */
export const SQLITE = { BUSY: 5, CORRUPT: 11, FULL: 13, NOTADB: 26 } as const;

/** `node:sqlite`, or the same API from a package on older versions of Node.js. Rejects with what to install. */
export const { DatabaseSync } = await load();

/** Which of the SQLITE codes an error has, and is caused by; null for errors of others. */
export function sqliteCode(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  // The low byte is the kind of error, the others say more of it.
  if ('errcode' in error && typeof error.errcode === 'number') return error.errcode & 0xff;
  return sqliteCode(error.cause);
}

async function load(): Promise<typeof Driver> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isBuiltIn = major > BUILT_IN.major || (major === BUILT_IN.major && minor >= BUILT_IN.minor);
  // In a variable: the build leaves it alone, and types of Node.js 20 do not know the other one.
  const name = isBuiltIn ? 'node:sqlite' : '@photostructure/sqlite';
  try {
    return (await import(name)) as typeof Driver;
  } catch (error) {
    throw new Error(
      `${name} cannot be loaded, and without it no data directory can be opened. Install without --omit=optional, use Node.js 24.15 or newer, or keep the tasks in PostgreSQL (DATABASE_URL).`,
      { cause: error },
    );
  }
}
