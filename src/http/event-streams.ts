import type { ServerResponse } from 'node:http';

/** Responses that are event streams. A cut makes a client reconnect, an orderly end does not. */
export interface EventStreams {
  /** Called before Yoga answers: it pipes streams, and sends all other responses whole. */
  watch(response: ServerResponse): void;
  /** Cuts a stream, now or when it begins. */
  end(response: ServerResponse): void;
  cutAll(): void;
  /** Cuts all streams, and those that begin later. */
  endAll(): void;
  size(): number;
}

export function createEventStreams(): EventStreams {
  const streams = new Set<ServerResponse>();
  /** Responses to cut as soon as they become streams. */
  const doomed = new WeakSet<ServerResponse>();
  let isOver = false;

  function onPipe(this: ServerResponse): void {
    // A stream that was never read cannot be ended yet.
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
