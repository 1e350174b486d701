import type { TaskStore } from '../tasks/store.ts';
import type { AnnouncedRecord } from '../tasks/task.ts';
import { claimDue } from './checks.ts';
import { createOwnerReads } from './owner-reads.ts';
import { createRecordReads } from './record-reads.ts';
import type { Connections } from './sqlite.ts';
import { createSweeps } from './sweeps.ts';
import { takeTurns } from './turns.ts';
import { createWriterQueue } from './writer-queue.ts';
import { createWrites } from './writes.ts';

/** A task store on open connections, which it closes when it is closed. `onChanges` gets every committed change. */
export function createTaskStore(
  connections: Connections,
  onChanges: (changes: readonly AnnouncedRecord[]) => void,
): TaskStore {
  const { reader, writer } = connections;
  const queue = createWriterQueue(writer, onChanges);
  return {
    ...createRecordReads(reader),
    ...createOwnerReads(reader),
    ...createWrites(queue),
    ...createSweeps(queue),
    takeTurns: (turns) => queue.write(false, ({ trx }) => takeTurns(trx, turns)),
    claimDue: (checks) => queue.write(false, ({ trx }) => claimDue(trx, checks)),
    async close() {
      await queue.drain();
      await connections.close();
    },
  };
}
