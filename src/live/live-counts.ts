/** What goes on behind the socket door; counted where it happens, and read by whoever wants to know. */
export interface LiveCounts {
  /** Groups of subscriptions that there are now. */
  groups: number;
  /** Events that were written to sockets. */
  deliveries: number;
  /** Times that a subscription had to rest because its socket was full. */
  rests: number;
  /** Sockets that were closed because their client took nothing. */
  slowCloses: number;
}

export function createLiveCounts(): LiveCounts {
  return { groups: 0, deliveries: 0, rests: 0, slowCloses: 0 };
}
