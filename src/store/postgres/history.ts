import { DatabaseError, type ClientBase } from 'pg';

/** A promoted standby lacks fewer revisions than this, unless it lagged far behind. */
const REVISION_GAP = 10_000;

/** Cluster, database and timeline. A promoted standby or restored backup starts a new timeline. */
const HISTORY = `
  select concat_ws('/', s.system_identifier, d.oid, left(pg_walfile_name(pg_current_wal_lsn()), 8)) as history
    from pg_control_system() as s, pg_database as d where d.datname = current_database()`;

/**
 * Returns a check to run on each new connection. It detects that another server has taken over (a standby or restored backup),
 * which may lack the last commits, and calls `onRollback` once per takeover.
 */
export function createHistoryCheck(onRollback: () => void): (client: ClientBase) => Promise<void> {
  let known: string | null = null;

  return async (client) => {
    const history = await read(client);
    if (history === null || history === known) return;
    // Before subscribers restart: the revisions that they resume from must be valid by then.
    await skipRevisions(client, history);
    const isFirst = known === null;
    const isNews = known !== history;
    known = history;
    if (isNews && !isFirst) onRollback();
  };
}

/** Returns null if it is not readable: on a standby, and on managed services that hide it. */
async function read(client: ClientBase): Promise<string | null> {
  try {
    const { rows } = await client.query<{ history: string }>(HISTORY);
    return rows[0]?.history ?? null;
  } catch (error) {
    if (error instanceof DatabaseError && /^(?:0A|42|55)/.test(error.code ?? '')) return null;
    throw error;
  }
}

/**
 * Skips revisions once per takeover: the new server would assign again revisions that clients already know, and clients would
 * miss those changes. The history is stored in `secrets`, a table that every release has.
 */
async function skipRevisions(client: ClientBase, history: string): Promise<void> {
  const { rows } = await client.query<{ value: string }>("select value from secrets where name = 'history'");
  const [row] = rows;
  if (row?.value === history) return;
  if (row === undefined)
    await client.query(
      "insert into secrets (name, value) values ('history', $1) on conflict (name) do nothing",
      [history],
    );
  else
    await client.query(
      `with changed as (update secrets set value = $1 where name = 'history' and value = $2 returning 1)
         update counters set value = value + ${REVISION_GAP} where name = 'revision' and exists (select from changed)`,
      [history, row.value],
    );
}
