import { DatabaseError } from 'pg';

/** Said when DATABASE_URL leads through a pooler that gives each transaction another session. */
export const POOLED =
  'DATABASE_URL leads through a pooler in transaction mode, such as PgBouncer: LISTEN and migrations need a session of their own. ' +
  'Set DATABASE_LISTEN_URL to the same database without the pooler (or with it in session mode), or let DATABASE_URL lead there.';

const GENERAL = 'Check DATABASE_URL, and that the server runs and lets this user in.';

/** SQLSTATEs (PostgreSQL, Appendix A) and what to do about them. */
const ADVICE: Readonly<Record<string, string>> = {
  '25006': 'It is read-only, as a standby is: let DATABASE_URL lead to the primary, or make it writable.',
  '42501':
    'Let this user create tables in the schema (GRANT CREATE ON SCHEMA public), or run "kineograph migrate" as one who may, and grant this user SELECT, INSERT, UPDATE and DELETE on all tables and USAGE on all sequences.',
  '53300':
    'Give the server, or this user, more connections (max_connections), or set a smaller DATABASE_CONNECTIONS.',
  '08P01': 'A pooler may refuse what DATABASE_URL asks for: leave out parameters such as "options".',
};

/** How to mend that a database cannot be used. */
export function adviceFor(error: unknown): string {
  const code = codeOf(error);
  return (code === null ? undefined : ADVICE[code]) ?? GENERAL;
}

/** What went wrong, in the database's own words. */
export function reasonOf(error: unknown): string {
  return error instanceof AggregateError ? error.errors.join('; ') : String(error);
}

/** Of the error itself, or of what caused it. */
function codeOf(error: unknown): string | null {
  if (error instanceof DatabaseError) return error.code ?? null;
  return error instanceof Error && error.cause !== undefined ? codeOf(error.cause) : null;
}
