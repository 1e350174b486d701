import { DatabaseError } from 'pg';

/** Classes of SQLSTATE that speak of the server and not of the statement: connections, resources, an operator, itself. */
const CLASSES = new Set(['08', '53', '57', '58']);

/**
 * Whether the database could not be reached or is not able to work now, by PostgreSQL's Appendix A. What is no answer of
 * the server at all is trouble of the connection.
 */
export function isOutage(error: unknown): boolean {
  if (error instanceof DatabaseError) return CLASSES.has(error.code?.slice(0, 2) ?? '');
  return error instanceof Error && !(error instanceof TypeError) && !(error instanceof RangeError);
}
