import type { ServerResponse } from 'node:http';

/** Answers that go on until somebody ends them. */
export interface EventStreams {
  /** Has an answer looked after, should it become a stream: those are piped by the engine, all others are sent whole. */
  watch(response: ServerResponse): void;
  /** Cuts the stream that an answer is, or will be. */
  end(response: ServerResponse): void;
  /** Cuts all that there are: their clients come back, as they would not after an end. */
  cutAll(): void;
  /** Cuts all, and those that begin from now on. */
  endAll(): void;
  /** How many there are. */
  size(): number;
}

export function createEventStreams(): EventStreams {
  const streams = new Set<ServerResponse>();
  /** Those that have to end and have not begun. */
  const doomed = new WeakSet<ServerResponse>();
  let isOver = false;

  function onPipe(this: ServerResponse): void {
    // Not at once: a stream that was never read cannot be ended.
    if (isOver || doomed.has(this)) setImmediate(() => this.destroy());
    streams.add(this);
    this.once('close', () => streams.delete(this));
  }

  function cutAll(): void {
    for (const response of streams) response.destroy();
  }

  return {
    watch: (response) => response.once('pipe', onPipe),
    end(response) {
      if (streams.has(response)) response.destroy();
      else doomed.add(response);
    },
    size: () => streams.size,
    cutAll,
    endAll() {
      isOver = true;
      cutAll();
    },
  };
}
