/** A committed change, of which the live side knows nothing but its place in the order of all changes. */
export interface Change {
  readonly revision: number;
}

/** Where a subscription's changes go; see `Followable`. */
export interface ChangeSink {
  take(change: Change): void;
  flush(): void;
  isFull(): boolean;
  end(): void;
  fail(error: unknown): void;
}

/**
 * A subscription that was let in. It calls `take` for each change, `flush` after the last one that there is, and `end`
 * or `fail` at last. A sink that says it is full gets nothing until it calls `resume`, and then all that counts by then.
 */
export interface Followable {
  follow(sink: ChangeSink): { resume(): void; stop(): void };
}

export function isFollowable(value: object): value is Followable {
  return 'follow' in value && typeof value.follow === 'function';
}
