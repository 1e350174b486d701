/** Is told how batches of writes fare. */
export interface CommitObserver {
  /** One was committed, `ms` after its first statement. */
  committed(ms: number, writes: number): void;
  /** One was not, after all tries; its callers are told, or each of its writes is tried by itself. */
  failed(): void;
}
