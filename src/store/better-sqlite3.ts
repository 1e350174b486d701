import type Sqlite from 'better-sqlite3';

/** The version of Node-API that better-sqlite3 13 is made for: Node.js 22.14 and newer have it. */
const NODE_API = 10;

/**
 * The one of both installed versions that runs here. Version 13 has its native part in the package and needs Node-API 10,
 * without which it crashes as it loads. Version 12 has to fit one version of Node.js; compiled for 24.19 or a newer 24, it
 * ends the process when a statement is collected as garbage (WiseLibs/better-sqlite3#1515, nodejs/node#65446).
 */
export const SQLITE_PACKAGE =
  Number(process.versions['napi']) >= NODE_API ? 'better-sqlite3' : 'better-sqlite3-12';

/** Loading this file rejects with an error that says what to install when the package is not there. */
export const BetterSqlite3 = await load();

async function load(): Promise<typeof Sqlite> {
  try {
    const { default: found } = (await import(SQLITE_PACKAGE)) as { readonly default: typeof Sqlite };
    return found;
  } catch (error) {
    throw new Error(
      `${SQLITE_PACKAGE} is not installed, without which no data directory can be opened. Install without --omit=optional; for Node.js 20 python3, make and g++ have to be there. Or keep the tasks in PostgreSQL (DATABASE_URL).`,
      { cause: error },
    );
  }
}
