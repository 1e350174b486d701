import { setImmediate } from 'node:timers/promises';
import type { TaskStore } from '../../src/tasks/store.ts';
import { randomFrom } from '../kit/clock.ts';

/** At most, in turns of the event loop. */
const TURNS = 12;

/** A store whose reads take a while before and after they happen, as over a network: others write in between. */
export function readSlowly(store: TaskStore): TaskStore {
  const random = randomFrom(1);

  function slow<Args extends readonly unknown[], Answer>(read: (...args: Args) => Promise<Answer>) {
    return async (...args: Args): Promise<Answer> => {
      await someTurns();
      const answer = await read(...args);
      await someTurns();
      return answer;
    };
  }

  async function someTurns(): Promise<void> {
    for (let left = Math.floor(random() * TURNS); left > 0; left -= 1) await setImmediate();
  }

  return {
    ...store,
    find: slow(store.find),
    changesAfter: slow(store.changesAfter),
    newestRevision: slow(store.newestRevision),
  };
}
