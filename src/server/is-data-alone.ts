import type { ExecutionResult } from 'graphql';

/** Whether a result has nothing in it that says anything of what went wrong, or of its answer's status or headers. */
export function isDataAlone(result: ExecutionResult): boolean {
  return 'data' in result && Object.keys(result).length === 1;
}
