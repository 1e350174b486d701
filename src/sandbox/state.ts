import { costOf, CREDITS_PER_VIDEO, endOf, decodeTaskId } from './task-id.ts';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Log } from './envelope.ts';

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

const entrySchema = z.strictObject({
  taskId: z.string(),
  /** The create request as JSON, as recordInfo echoes it. */
  param: z.string(),
  /** Its price has been taken off the balance. */
  settled: z.boolean(),
  /** Where the end of the task has yet to be told; null: nowhere, or it is done with. */
  callBackUrl: z.string().nullable(),
});

const stateSchema = z.strictObject({ credits: z.number(), tasks: z.array(entrySchema) });

/** A task that is remembered for what its id does not say. */
export type TaskEntry = Readonly<z.infer<typeof entrySchema>>;

/** All that the sandbox keeps on disk. */
export interface SandboxState {
  readonly credits: number;
  readonly tasks: readonly TaskEntry[];
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/**
 * What the file holds, or null when there is none. A file that cannot be understood is renamed, logged and
 * counts as none. Rejects when the file exists and cannot be read or renamed.
 */
export async function loadState(file: string, log: Log): Promise<SandboxState | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch (error) {
    const aside = `${file}.broken-${Date.now()}`;
    await rename(file, aside);
    log(`The sandbox starts anew: its state file is broken and was set aside as ${aside}`, { error });
    return null;
  }
}

/** Replaces the file in one step: whoever dies on the way leaves the old content or the new, never half of it. */
export async function saveState(file: string, state: SandboxState): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const fresh = `${file}.new`;
  // Only for its owner: callback addresses may carry secrets.
  const handle = await open(fresh, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify(state));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(fresh, file);
}

/**
 * Runs `work` one at a time. Each call resolves when a run that began after the call is over; calls that come
 * while one is under way share the next. `work` must not reject.
 */
export function singleFlight(work: () => Promise<void>): () => Promise<void> {
  let current = Promise.resolve();
  let next: Promise<void> | null = null;
  return () => {
    next ??= current.then(() => {
      next = null;
      current = work();
      return current;
    });
    return next;
  };
}
