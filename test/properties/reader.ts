import type { VisibleRecord } from '../../src/tasks/task.ts';
import type { Process } from './process.ts';
import type { Owner } from './steps.ts';

/** A client that follows all tasks of an owner, and comes back after the largest revision that it saw. */
export interface Reader {
  readonly name: string;
  readonly owner: Owner;
  readonly after: number;
  readonly seen: readonly VisibleRecord[];
  /** Subscribes, also again after the last process has died. */
  connect(process: Process): void;
}

export function createReader(
  name: string,
  { after, onError, owner }: { owner: Owner; after: number; onError: (error: unknown) => void },
): Reader {
  const seen: VisibleRecord[] = [];

  async function read({ isDead, tasks }: Process): Promise<void> {
    const watch = await tasks.watchAll(owner, seen.at(-1)?.revision ?? after);
    for (;;) {
      const { value } = await watch.next();
      // A socket of a process that is dead carries nothing.
      if (isDead()) return;
      if (!value) throw new Error('the stream of all tasks has ended');
      seen.push(value);
    }
  }

  return {
    name,
    owner,
    after,
    seen,
    connect(process) {
      read(process).catch(onError);
    },
  };
}
