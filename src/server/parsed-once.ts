import type { DocumentNode } from 'graphql';
import { _createLRUCache } from 'graphql-yoga';

/** Clients send the same few operations again and again, and none of theirs is longer. */
const MAX_LENGTH = 16_384;

/**
 * Keeps operations that were parsed. Long ones are parsed anew each time: a thousand of the size of a whole body, each
 * sent once, would fill the memory. So are those with a syntax error: the engine adds to the error what its door tells of
 * it, and kept, one that came over a socket would be answered over HTTP with 200.
 */
export function parsedOnce() {
  const kept = _createLRUCache<{ readonly document: DocumentNode }>();
  return {
    documentCache: {
      get: (source: string): DocumentNode | undefined => kept.get(source)?.document,
      set: (source: string, document: DocumentNode): void => {
        if (source.length <= MAX_LENGTH) kept.set(source, { document });
      },
    },
    errorCache: {
      get: (): undefined => undefined,
      set: (): void => undefined,
    },
  };
}
