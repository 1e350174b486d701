import { executeSync, type ExecutionArgs, type ExecutionResult, type GraphQLError } from 'graphql';
import type { Change } from './followable.ts';
import { resultOverSocket } from './told-over-socket.ts';

/** Subscriptions whose results can only come out the same: what one of them needs is made once for all. */
export interface Group {
  /** The result for a change, as JSON. */
  render(change: Change): string;
}

export function createGroup(args: ExecutionArgs, maskError: (error: unknown) => GraphQLError): Group {
  /** By revision, of which no two changes have the same. */
  const rendered = new Map<number, string>();

  function execute(change: Change): ExecutionResult {
    try {
      const result = executeSync({ ...args, rootValue: change });
      return result.errors ? { ...result, errors: result.errors.map(maskError) } : result;
    } catch (error) {
      return { errors: [maskError(error)] };
    }
  }

  return {
    render(change) {
      const known = rendered.get(change.revision);
      if (known !== undefined) return known;
      const result = execute(change);
      const text = JSON.stringify(resultOverSocket(result) ?? result);
      // All members are told of a change in the same turn of the event loop.
      if (rendered.size === 0)
        setImmediate(() => {
          rendered.clear();
        });
      rendered.set(change.revision, text);
      return text;
    },
  };
}
