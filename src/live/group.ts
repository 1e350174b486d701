import { execute, type ExecutionArgs, type ExecutionResult, type GraphQLError } from 'graphql';
import type { Change } from './followable.ts';
import type { Results } from './results.ts';
import { resultOverSocket } from './told-over-socket.ts';

/** Subscriptions whose results can only come out the same: what one of them needs is made once for all. */
export interface Group {
  /** The result for a change, as JSON in UTF-8. */
  render(change: Change): Uint8Array;
}

export interface GroupOptions {
  /** What its members have in common. */
  readonly args: ExecutionArgs;
  readonly maskError: (error: unknown) => GraphQLError;
  readonly results: Results;
}

// Unlike Buffer.from it takes memory of its own, which is freed with the result.
const ENCODER = new TextEncoder();

/**
 * Results are kept for members that come to the same change later. So a result may depend on nothing but the change and
 * what the members of a group have in common: a field of the schema that reads the clock, a setting that changes or the
 * store would be told to latecomers as it was. And no two changes may have the same revision.
 */
export function createGroup({ args, maskError, results }: GroupOptions): Group {
  function resultOf(change: Change): ExecutionResult {
    try {
      const result = execute({ ...args, rootValue: change });
      if (result instanceof Promise) throw new Error('a field of an event has no value yet');
      return result.errors ? { ...result, errors: result.errors.map(maskError) } : result;
    } catch (error) {
      return { errors: [maskError(error)] };
    }
  }

  const group: Group = {
    render(change) {
      const { revision } = change;
      const known = results.get(group, revision);
      if (known) return known;
      const result = resultOf(change);
      const json = ENCODER.encode(JSON.stringify(resultOverSocket(result) ?? result));
      results.keep(group, revision, json);
      // It may come out well the next time. Those who are told of the change in one go share it; setImmediate would be too
      // late, after who catches up in the next turn of the event loop.
      if (result.errors)
        queueMicrotask(() => {
          results.forget(group, revision);
        });
      return json;
    },
  };
  return group;
}
