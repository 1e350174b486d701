/** The logger of tasks, with the signature of pino. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** For warnings that clients can cause at any rate: logs the first at once, then one line with a count every 5 s. */
export interface OccasionalLog {
  /** Counts each `kind` separately; use few kinds. A line with a count has the newest fields and message. */
  warn(kind: string, fields: object, message: string): void;
}

const EVERY_MS = 5000;

interface Held {
  /** Warnings since the last line. */
  count: number;
  fields: object;
  message: string;
}

export function createOccasionalLog(log: Pick<Log, 'warn'>, everyMs = EVERY_MS): OccasionalLog {
  const held = new Map<string, Held>();

  function flush(kind: string): void {
    const { count = 0, fields = {}, message = '' } = held.get(kind) ?? {};
    held.delete(kind);
    if (count === 0) return;
    log.warn({ ...fields, count }, message);
    hold(kind);
  }

  function hold(kind: string): void {
    held.set(kind, { count: 0, fields: {}, message: '' });
    setTimeout(flush, everyMs, kind).unref();
  }

  return {
    warn(kind, fields, message) {
      const before = held.get(kind);
      if (before) {
        Object.assign(before, { count: before.count + 1, fields, message });
        return;
      }
      log.warn(fields, message);
      hold(kind);
    },
  };
}
