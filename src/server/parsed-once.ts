import type { DocumentNode } from 'graphql';
import { _createLRUCache } from 'graphql-yoga';

/** Clients send the same few operations again and again, and none of theirs is longer. */
const MAX_LENGTH = 16_384;

/**
 * Keeps what became of operations that were parsed. Long ones are parsed anew each time: a thousand of the size of a
 * whole body, each sent once, would fill the memory.
 */
export function parsedOnce() {
  return { documentCache: keepShort<DocumentNode>(), errorCache: keepShort<unknown>() };
}

function keepShort<Value>() {
  const kept = _createLRUCache<{ readonly value: Value }>();
  return {
    get: (source: string): Value | undefined => kept.get(source)?.value,
    set: (source: string, value: Value): void => {
      if (source.length <= MAX_LENGTH) kept.set(source, { value });
    },
  };
}
