import { singleFlight } from './single-flight.ts';
import type { SandboxState, TaskEntry } from './state-file.ts';
import { costOf, CREDITS_PER_VIDEO, endOf } from './task-course.ts';
import { decodeTaskId } from './task-id.ts';

/** The account: its credits and its recent tasks. */
export interface Ledger {
  /** The balance, less every task that is over by now. */
  credits(): number;
  /** Whether one more video can be paid, those under way counted as if each will succeed. */
  canPay(): boolean;
  /** Remembers a new task. Resolves when it would survive a crash. */
  open(taskId: string, param: string, callBackUrl: string | null): Promise<void>;
  find(taskId: string): TaskEntry | undefined;
  /** Notes that the end of a task needs no more telling. Resolves like `open`. */
  told(taskId: string): Promise<void>;
  /** The tasks that still have something to come: their end, or somebody to tell it to. */
  pending(): TaskEntry[];
  /** Resolves when everything up to now has been written. */
  flush(): Promise<void>;
}

const REMEMBERED_MS = 24 * 3_600_000;
const REMEMBERED_TASKS = 500;

function isOver({ taskId }: TaskEntry, now: number): boolean {
  const plan = decodeTaskId(taskId);
  return plan === null || endOf(plan) <= now;
}

/** Forgets finished tasks that are old or too many; what is still pending stays. */
function prune(entries: Map<string, TaskEntry>, now: number): void {
  let surplus = entries.size - REMEMBERED_TASKS;
  for (const [taskId, { settled, callBackUrl }] of entries) {
    const old = (decodeTaskId(taskId)?.createdAt ?? 0) < now - REMEMBERED_MS;
    if (!settled || callBackUrl !== null || (surplus <= 0 && !old)) continue;
    entries.delete(taskId);
    surplus -= 1;
  }
}

/** A ledger that begins with `state` and hands each change to `write`, which must not reject. */
export function createLedger(state: SandboxState, write: (state: SandboxState) => Promise<void>): Ledger {
  let balance = state.credits;
  const entries = new Map(state.tasks.map((entry) => [entry.taskId, entry]));
  const save = singleFlight(() => {
    settle();
    prune(entries, Date.now());
    return write({ credits: balance, tasks: [...entries.values()] });
  });

  // By the clock and not by an event: recordInfo says "success" by the clock, and the balance agrees with it.
  function settle(): void {
    const now = Date.now();
    for (const entry of entries.values()) {
      if (entry.settled || !isOver(entry, now)) continue;
      const plan = decodeTaskId(entry.taskId);
      balance -= plan === null ? 0 : costOf(plan);
      entries.set(entry.taskId, { ...entry, settled: true });
    }
  }

  return {
    credits() {
      settle();
      return balance;
    },
    canPay() {
      settle();
      const running = [...entries.values()].filter(({ settled }) => !settled).length;
      return balance >= (running + 1) * CREDITS_PER_VIDEO;
    },
    open(taskId, param, callBackUrl) {
      entries.set(taskId, { taskId, param, settled: false, callBackUrl });
      return save();
    },
    find: (taskId) => entries.get(taskId),
    told(taskId) {
      const entry = entries.get(taskId);
      if (entry !== undefined) entries.set(taskId, { ...entry, callBackUrl: null });
      return save();
    },
    pending: () => [...entries.values()].filter((entry) => !entry.settled || entry.callBackUrl !== null),
    flush: save,
  };
}
