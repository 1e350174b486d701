import type { ExecutionResult } from 'graphql';

/** Whether a result comes from a compiled document: graphql-js makes objects without a prototype. */
export function isOfCompiled({ data }: ExecutionResult): boolean {
  return typeof data === 'object' && data !== null && Object.getPrototypeOf(data) === Object.prototype;
}
