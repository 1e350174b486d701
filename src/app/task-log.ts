import type { Logger } from 'pino';
import type { Log } from '../tasks/log.ts';

/**
 * The log of tasks. `lines` take what is told at `info`, which comes by the thousand and has members of ours alone; an error
 * may bring anything along.
 */
export function createTaskLog(log: Logger, lines: Logger): Log {
  return {
    debug: log.debug.bind(log),
    info: lines.info.bind(lines),
    warn: log.warn.bind(log),
    error: log.error.bind(log),
  };
}
