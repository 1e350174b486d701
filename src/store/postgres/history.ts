import { DatabaseError, type ClientBase } from 'pg';

/** A standby that takes over may lack more revisions than this only if it lagged far behind. */
const LEAP = 10_000;

/** Cluster, database, and the timeline that each promoted standby or restored backup begins. */
const HISTORY = `
  select concat_ws('/', s.system_identifier, d.oid, left(pg_walfile_name(pg_current_wal_lsn()), 8)) as history
    from pg_control_system() as s, pg_database as d where d.datname = current_database()`;

/**
 * Returns what to run on each new connection. It finds out that another server has taken over, such as a standby or a
 * restored backup, which may lack the last commits; `setBack` is called once for each such change.
 */
export function createHistoryCheck(setBack: () => void): (client: ClientBase) => Promise<void> {
  let known: string | null = null;

  return async (client) => {
    const history = await read(client);
    if (history === null || history === known) return;
    // Before anybody is sent away: who comes back names a revision that has to be valid by then.
    await leap(client, history);
    const isFirst = known === null;
    const isNews = known !== history;
    known = history;
    if (isNews && !isFirst) setBack();
  };
}

/** null where it cannot be told: on a standby, and on services that hide it. */
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
 * Clients were told revisions that the new history would give again. After a leap every revision that they know lies below
 * every new one, so that they miss nothing that comes. The history is a row among the secrets, where all releases have room.
 */
async function leap(client: ClientBase, history: string): Promise<void> {
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
         update counters set value = value + ${LEAP} where name = 'revision' and exists (select from changed)`,
      [history, row.value],
    );
}
