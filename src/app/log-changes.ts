import type { Logger } from 'pino';
import type { AnnouncedRecord } from '../tasks/task.ts';

/** Returns what writes one line for each change that this process has committed. */
export function createLogChanges(log: Logger): (changes: readonly AnnouncedRecord[]) => void {
  return (changes) => {
    if (!log.isLevelEnabled('info')) return;
    for (const { failure, id, revision, state, timeline } of changes) {
      const source = timeline.at(-1)?.source;
      log.info({ task: id, state, revision, source, code: failure?.code }, 'task changed');
    }
  };
}
