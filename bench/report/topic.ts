/** What something was promised of. Rows that hold the same thing against different bounds or peers share one. */
export type Topic =
  | 'fan-out to 1,000 subscribers'
  | 'fan-out to 5,000 subscribers'
  | 'callbacks in bursts'
  | 'from 100 to 10,000 subscribers'
  | 'p50 at 10,000 deliveries/s'
  | 'p99 at 10,000 deliveries/s'
  | 'one subscriber for each task'
  | '`task(id)` over HTTP'
  | 'mutation, durable'
  | 'idle subscription'
  | 'stalled readers: the process lives'
  | 'stalled readers: the others are unharmed'
  | 'stalled readers: memory is bounded'
  | 'stalled readers: they get the newest states when they read again'
  | 'creates while videos are copied'
  | 'callbacks while videos are copied'
  | 'start to first answered query';
