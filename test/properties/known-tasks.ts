import type { TaskRecord } from '../../src/tasks/task.ts';
import { after, atTime, type Happening, type Standing } from './rules.ts';

/** A task that was stored, and every way in which it may stand by the rules. */
export interface KnownTask {
  /** t1 for the first. */
  readonly name: string;
  readonly id: string;
  readonly owner: string;
  readonly key: string | null;
  readonly prompt: string;
  standings: readonly Standing[];
  /** How each create call that was begun for it ended, as far as that is known. */
  readonly calls: ('in the air' | 'accepted' | 'refused' | 'not now' | 'unknown')[];
}

/** Something that happened to a task; what is not certain may have come too late, for the process died. */
export interface Event {
  readonly what: Happening;
  readonly isCertain: () => boolean;
}

/** Every standing that can be reached when these events happened at the same time, in whichever order. */
export function reach(
  standings: readonly Standing[],
  events: readonly Event[],
  now: number,
): readonly Standing[] {
  // Anything may be the occasion on which a deadline that has passed is noticed.
  const before = standings.flatMap((one) => atTime(one, now, { announceAt: null, isQuiet: false }));
  const found = events.every((event) => !event.isCertain()) ? before : [];
  const further = events.flatMap((event) => {
    const next = unique(before.flatMap((standing) => after(standing, event.what)));
    const others = events.filter((other) => other !== event);
    return next.length === 0 ? [] : reach(next, others, now);
  });
  return unique([...found, ...further]);
}

export function unique(standings: readonly Standing[]): readonly Standing[] {
  return [...new Map(standings.map((standing) => [JSON.stringify(standing), standing])).values()];
}

/** Whether a task that stands so is stored so. */
export function isStoredSo(standing: Standing, record: TaskRecord | null): boolean {
  if (standing.isGone || !record) return standing.isGone && !record;
  return (
    record.state === standing.state &&
    (record.failure?.code ?? null) === standing.failure &&
    (record.revision !== null) === standing.isVisible &&
    (record.refusal?.code ?? null) === standing.refusal &&
    record.providerTaskId === standing.providerTaskId &&
    (record.idempotencyKey !== null) === standing.holdsKey
  );
}

export function describeRecord(record: TaskRecord | null): string {
  if (!record) return 'not there';
  const { failure, idempotencyKey, providerTaskId, refusal, revision, state } = record;
  const parts = [
    revision === null ? 'hidden' : `revision ${revision}`,
    state,
    failure?.code ?? null,
    refusal && `refused with ${refusal.code}`,
    providerTaskId && `as ${providerTaskId}`,
    idempotencyKey && `holding its key`,
  ];
  return parts.filter((part) => part !== null && part !== '').join(', ');
}

export function describeStanding(standing: Standing): string {
  if (standing.isGone) return 'not there';
  const { failure, holdsKey, isVisible, providerTaskId, refusal, state, submission } = standing;
  const parts = [
    isVisible ? 'visible' : 'hidden',
    state,
    failure,
    refusal && `refused with ${refusal}`,
    providerTaskId && `as ${providerTaskId}`,
    holdsKey ? 'holding its key' : null,
    `(submission ${submission})`,
  ];
  return parts.filter((part) => part !== null && part !== '').join(', ');
}
