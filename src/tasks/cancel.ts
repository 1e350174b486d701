import { failed, saved, writeTask } from './change.ts';
import type { TaskFailure } from './failure.ts';
import { findTask } from './list.ts';
import type { TaskPorts } from './ports.ts';
import { isTerminal, isVisible, type VisibleRecord, type TaskRecord } from './task.ts';
import { noSuchTask } from './subscriptions/subscription.ts';

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
  const found = await findTask(store, owner, id);
  if (!found) throw noSuchTask(id);
  const now = clock.now();
  const cancelled = await writeTask(store, found.id, (record) => saved(endUnsent(record, now)), found);
  if (cancelled && isVisible(cancelled)) return { kind: 'cancelled', task: cancelled };
  const task = await store.find(owner, found.id);
  if (!task) throw noSuchTask(id);
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
