/** Where the task's life is told to operators: fields first, then a sentence, as pino takes them. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Logs what others can cause at any rate: the first of a kind at once, the rest counted in one line every few seconds. */
export interface OccasionalLog {
  /** Each `kind` is counted for itself; there must be few. The line of a count has the newest fields and message. */
  warn(kind: string, fields: object, message: string): void;
}

const EVERY_MS = 5000;

interface Held {
  /** How many were not logged since the last line. */
  count: number;
  fields: object;
  message: string;
}

export function createOccasionalLog(log: Pick<Log, 'warn'>, everyMs = EVERY_MS): OccasionalLog {
  const held = new Map<string, Held>();

  function tell(kind: string): void {
    const { count = 0, fields = {}, message = '' } = held.get(kind) ?? {};
    held.delete(kind);
    if (count === 0) return;
    log.warn({ ...fields, count }, message);
    hold(kind);
  }

  function hold(kind: string): void {
    held.set(kind, { count: 0, fields: {}, message: '' });
    setTimeout(tell, everyMs, kind).unref();
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
