import { createSourceEventStream, execute, type ExecutionResult } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { InTurn } from '../limits/turns.ts';
import type { Arrival } from './graphql.ts';

/**
 * Executes each event of an event stream when it is its owner's turn. One change may be an event of thousands of streams,
 * each with a document of its own.
 */
export function eventsInTurn(inTurn: InTurn, hideSuggestions: boolean): Plugin<Arrival> {
  return {
    onSubscribe({ args, setSubscribeFn }) {
      const { owner } = args.contextValue.principal;
      const asked = { ...args, hideSuggestions };
      setSubscribeFn(async () => {
        const source = await createSourceEventStream(asked);
        if (!(Symbol.asyncIterator in source)) return source;
        return mapped(source, (rootValue) =>
          inTurn(owner, async () => Promise.resolve(execute({ ...asked, rootValue }))),
        );
      });
    },
  };
}

/** By hand: an async generator cannot be ended while it waits for an event. */
function mapped(
  source: AsyncIterable<unknown>,
  resultOf: (event: unknown) => Promise<ExecutionResult>,
): AsyncIterableIterator<ExecutionResult, undefined> {
  const events = source[Symbol.asyncIterator]();
  return {
    async next() {
      const event = await events.next();
      if (event.done) return { done: true, value: undefined };
      return { done: false, value: await resultOf(event.value) };
    },
    async return() {
      await events.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
