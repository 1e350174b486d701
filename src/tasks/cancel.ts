import { failed, saved, writeTask } from './change.ts';
import type { TaskFailure } from './failure.ts';
import { requireTask } from './list.ts';
import type { TaskPorts } from './ports.ts';
import { isTerminal, isVisible, type VisibleRecord, type TaskRecord } from './task.ts';

/** The result of cancelTask. */
export type CancelResult =
  | { readonly kind: 'cancelled'; readonly task: VisibleRecord }
  | {
      readonly kind: 'too-late';
      readonly reason: 'ALREADY_SENT' | 'ALREADY_ENDED';
      readonly task: VisibleRecord;
    };

/**
 * Ends a queued task with FAIL and CANCELLED, and frees its idempotencyKey. A task is either marked for its create call or
 * cancelled, never both. Cancelling twice has the same result. Rejects with NOT_FOUND.
 */
export async function cancelTask(
  { clock, store }: Pick<TaskPorts, 'clock' | 'store'>,
  owner: string,
  id: string,
): Promise<CancelResult> {
  const found = await requireTask(store, owner, id);
  const now = clock.now();
  const cancelled = await writeTask(store, found.id, (record) => saved(endUnsent(record, now)), found);
  if (cancelled && isVisible(cancelled)) return { kind: 'cancelled', task: cancelled };
  const task = await requireTask(store, owner, id);
  if (task.failure?.code === CANCELLED.code) return { kind: 'cancelled', task };
  return { kind: 'too-late', reason: isTerminal(task.state) ? 'ALREADY_ENDED' : 'ALREADY_SENT', task };
}

const CANCELLED: TaskFailure = {
  code: 'CANCELLED',
  providerCode: null,
  message: 'The task was cancelled before it was sent to the provider. Nothing was charged.',
};

function endUnsent(record: TaskRecord, now: number): TaskRecord | null {
  const { markedAt, state, unknownSince } = record;
  if (state !== 'SUBMITTING' || markedAt !== null || unknownSince !== null) return null;
  const ended = failed(record, CANCELLED, { at: now, source: 'GATEWAY' });
  return ended && { ...ended, idempotencyKey: null };
}
