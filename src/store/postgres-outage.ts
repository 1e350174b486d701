import { DatabaseError } from 'pg';

/**
 * Classes of SQLSTATE that speak of the server and not of the statement: connections, transactions that were rolled back so
 * that another one can go on (two processes that waited for each other), resources, an operator, itself.
 */
const CLASSES = new Set(['08', '40', '53', '57', '58']);
const CODES = new Set([
  // The server ended the connection because its transaction had been left alone, or had lasted, for too long.
  '25P03',
  '25P04',
  // The server, or this session of it, is read-only: another connection may lead to one that is not.
  '25006',
]);

/** What pg says itself of connections that ended or did not come about, and we when we stop; neither gives codes. */
const OF_CONNECTIONS =
  /^(Gateway is stopping|Connection terminated|Query read timeout|timeout e|Client (was closed|has encountered)|The server does not support SSL|There was an error establishing an SSL)/;

/**
 * Whether the database could not be reached or is not able to work now (PostgreSQL, Appendix A), so that the same may
 * succeed on another connection or at another time.
 */
export function isOutage(error: unknown): boolean {
  if (error instanceof DatabaseError) {
    const { code = '' } = error;
    return CLASSES.has(code.slice(0, 2)) || CODES.has(code);
  }
  if (error instanceof AggregateError) return error.errors.some(isOutage);
  return error instanceof Error && (isOfTheSystem(error) || OF_CONNECTIONS.test(error.message));
}

/** Such as ECONNREFUSED or ENOTFOUND. */
function isOfTheSystem(error: Error): boolean {
  return 'syscall' in error;
}
