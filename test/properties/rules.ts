import type { TaskRecord, TaskState } from '../../src/tasks/task.ts';

/**
 * The rules of a task, written a second time from the design and as simply as possible: what may become of a task when
 * one thing happens. Where the rules leave the moment open (when exactly a deadline is noticed), there is more than one
 * answer.
 */

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** The durations of these worlds: shorter than real ones, in the same order. */
export const TIMES = {
  createWait: 15 * SECOND,
  createTimeout: 20 * SECOND,
  markMargin: 10 * SECOND,
  submitDeadline: 4 * SECOND,
  submissionGrace: 10 * MINUTE,
  taskDeadline: 30 * MINUTE,
  checkIntervalMax: 2 * MINUTE,
  outcomeLook: 5 * SECOND,
  idleLook: MINUTE,
  submitLease: MINUTE,
  checkLease: 5 * SECOND,
} as const;

/** How late a deadline may be noticed: at the next look for work that nobody announced, or at the next query. */
const LOOK = TIMES.idleLook;
const QUESTION = TIMES.checkIntervalMax * 1.2 + LOOK;

/** What the provider may say about a task; "odd" is an unknown state or a success without a video. */
export type Says = 'WAITING' | 'QUEUING' | 'GENERATING' | 'SUCCESS' | 'FAIL' | 'odd';

/** One way in which a task may stand. */
interface Standing {
  readonly state: TaskState;
  readonly failure: string | null;
  readonly isVisible: boolean;
  /** Refused before anybody was told of it. */
  readonly refusal: string | null;
  /** Its process died before it was sent or announced, and nobody took over. */
  readonly isOrphan: boolean;
  /** Deleted: nobody was told of it and it was never sent. */
  readonly isGone: boolean;
  readonly providerTaskId: string | null;
  readonly holdsKey: boolean;
  readonly submission: 'waiting' | 'in the air' | 'unknown' | 'over';
  /** The process that made the call in the air has died, so that nobody is left to read its answer. */
  readonly isDeserted: boolean;
  /** When the call in the air was begun, or since when its outcome is unknown. */
  readonly submissionSince: number;
  readonly notNowSince: number | null;
  /** An unsigned callback has named a provider id, so that the provider is asked about it. */
  readonly isHinted: boolean;
  readonly createdAt: number;
}

export type Happening = { readonly at: number } & (
  | { readonly kind: 'sent' }
  | { readonly kind: 'accepted'; readonly providerTaskId: string }
  | { readonly kind: 'refused' | 'not now'; readonly code: string }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'called back'; readonly providerTaskId: string; readonly says: Says }
  | { readonly kind: 'hinted' | 'cancelled' }
  | {
      readonly kind: 'shown';
      readonly providerTaskId: string;
      readonly says: Says | 'nothing';
      /** Whether the answer shows the callback address of the task. */
      readonly isOurs: boolean;
    }
  | { readonly kind: 'killed'; readonly isBusy: boolean; readonly isTakenOver: boolean }
);

export function newStanding(createdAt: number, holdsKey: boolean): Standing {
  return {
    state: 'SUBMITTING',
    failure: null,
    isVisible: false,
    refusal: null,
    isOrphan: false,
    isGone: false,
    providerTaskId: null,
    holdsKey,
    submission: 'waiting',
    isDeserted: false,
    submissionSince: createdAt,
    notNowSince: null,
    isHinted: false,
    createdAt,
  };
}

/** How a task may stand after something happened; nothing at all when it must not have happened. */
export function after(task: Standing, what: Happening): readonly Standing[] {
  if (task.isGone || task.refusal !== null) return what.kind === 'sent' ? [] : [task];
  switch (what.kind) {
    case 'sent':
      return task.submission === 'waiting'
        ? [{ ...task, submission: 'in the air', isDeserted: false, submissionSince: what.at }]
        : [];
    case 'accepted':
      return [move(task, { state: 'WAITING', failure: null, providerTaskId: what.providerTaskId })];
    case 'refused':
      return unlessHinted(task, what.at, refuse(task, what.code));
    case 'not now':
      return unlessHinted(task, what.at, sendLater(task, what));
    case 'unknown':
      return task.submission === 'in the air' ? [lose(task, what.at)] : [task];
    case 'called back':
      return [move(task, newsOf(what.says, what.providerTaskId))];
    case 'hinted':
      return [task.providerTaskId === null ? { ...task, isHinted: true } : task];
    case 'cancelled':
      return [cancel(task)];
    case 'shown':
      return show(task, what);
    case 'killed':
      return restart(task, what);
  }
}

/** An answer that does not show the task's address counts only where nobody doubts the id that was asked about. */
function show(task: Standing, what: Happening & { readonly kind: 'shown' }): readonly Standing[] {
  if (what.says === 'nothing' || (task.providerTaskId === null && !what.isOurs)) return [task];
  const moved = move(task, newsOf(what.says, what.providerTaskId));
  // It may have been in doubt when the question was put.
  return task.isHinted && !what.isOurs ? [task, moved] : [moved];
}

interface News {
  readonly state: TaskState;
  readonly failure: string | null;
  readonly providerTaskId: string | null;
}

/** Who says anything at all about a task has it: it is at least waiting there. */
function newsOf(says: Says, providerTaskId: string): News {
  if (says === 'odd') return { state: 'WAITING', failure: null, providerTaskId };
  return { state: says, failure: says === 'FAIL' ? 'GENERATION_FAILED' : null, providerTaskId };
}

const RANKS = ['SUBMITTING', 'WAITING', 'QUEUING', 'GENERATING', 'SUCCESS'];
const rank = (state: TaskState): number => RANKS.indexOf(state === 'FAIL' ? 'SUCCESS' : state);
const isPresumed = (failure: string | null): boolean =>
  failure === 'SUBMISSION_UNKNOWN' || failure === 'EXPIRED';

export type Ending = Pick<Standing, 'failure' | 'state'>;

/** SUCCESS, or a FAIL that somebody has said. */
export function hasEnded({ failure, state }: Ending): boolean {
  return state === 'SUCCESS' || (state === 'FAIL' && !isPresumed(failure));
}

/** Whether a mutation may still wait for this task. */
export function isOpen(task: Standing): boolean {
  const isOver = task.isGone || task.refusal !== null;
  return !isOver && task.state === 'SUBMITTING' && task.submission !== 'unknown';
}

/** Up only; and from a FAIL that was concluded from silence to a true ending. */
export function mayFollow(before: Ending, next: Ending): boolean {
  return before.state === 'FAIL'
    ? !hasEnded(before) && hasEnded(next)
    : rank(next.state) > rank(before.state);
}

function move(task: Standing, news: News): Standing {
  const { failure, providerTaskId, state } = news;
  if (task.providerTaskId !== null && providerTaskId !== null && task.providerTaskId !== providerTaskId)
    return task;
  if (!mayFollow(task, news)) return task;
  return {
    ...task,
    state,
    failure,
    providerTaskId: task.providerTaskId ?? providerTaskId,
    isVisible: true,
    submission: 'over',
  };
}

/** Nothing was created, for certain, however late that is said. */
function refuse(task: Standing, code: string): Standing {
  const isWaiting = task.state === 'SUBMITTING' && task.submission !== 'waiting';
  if (!isWaiting && task.failure !== 'SUBMISSION_UNKNOWN') return task;
  if (!task.isVisible) return { ...task, refusal: code, holdsKey: false };
  return { ...move(task, { state: 'FAIL', failure: code, providerTaskId: null }), holdsKey: false };
}

/** "Nothing was created" is in doubt while an id that a callback has named was not asked about. */
function unlessHinted(task: Standing, at: number, next: Standing): readonly Standing[] {
  if (!task.isHinted) return [next];
  const isInTheAir = task.state === 'SUBMITTING' && task.submission === 'in the air';
  return [next, isInTheAir ? lose(task, at) : task];
}

/** Only what was told to somebody and waits its turn. */
function cancel(task: Standing): Standing {
  if (!task.isVisible || task.state !== 'SUBMITTING' || task.submission !== 'waiting') return task;
  return { ...move(task, { state: 'FAIL', failure: 'CANCELLED', providerTaskId: null }), holdsKey: false };
}

function sendLater(task: Standing, { at, code }: { readonly at: number; readonly code: string }): Standing {
  const since = task.notNowSince ?? at;
  const isTooLate = at >= since + TIMES.submitDeadline || task.failure === 'SUBMISSION_UNKNOWN';
  if (isTooLate) return refuse(task, code);
  if (task.state !== 'SUBMITTING' || task.submission === 'waiting') return task;
  return { ...task, submission: 'waiting', submissionSince: at, notNowSince: since };
}

/** Nobody knows whether the provider took it: announced, and never sent again. */
function lose(task: Standing, at: number): Standing {
  return { ...task, isVisible: true, submission: 'unknown', submissionSince: at };
}

/** The process dies and another one follows. Where it was busy, it may just have set the mark. */
function restart(task: Standing, what: Happening & { readonly kind: 'killed' }): readonly Standing[] {
  const { at, isBusy, isTakenOver } = what;
  if (task.submission === 'in the air' && task.state === 'SUBMITTING') {
    // Where others may live on, the mark has to run out.
    if (!isTakenOver) return [{ ...task, isDeserted: true }];
    const deserted = { ...task, isDeserted: true };
    return task.isHinted ? [lose(task, at), deserted] : [lose(task, at)];
  }
  if (task.submission !== 'waiting') return [task];
  const unsent = task.isVisible ? task : { ...task, [isTakenOver ? 'isGone' : 'isOrphan']: true };
  const sent: Standing = { ...task, submission: 'in the air', isDeserted: true, submissionSince: at };
  return isBusy ? [unsent, isTakenOver ? lose(task, at) : sent] : [unsent];
}

/** How a task may stand at `now` by the clock alone; `announceAt`: when a mutation that waits for it must answer. */
export function atTime(
  task: Standing,
  now: number,
  { announceAt, isQuiet }: { readonly announceAt: number | null; readonly isQuiet: boolean },
): readonly Standing[] {
  const announced =
    announceAt !== null && now >= announceAt && !task.isVisible && isOpen(task)
      ? { ...task, isVisible: true }
      : task;
  const due = nextDeadline(announced);
  if (!due || now < due.at) return [announced];
  const then = due.then(announced);
  // Nothing is concluded while a question to the provider stays unanswered.
  const isNoticed = now >= due.at + due.slack && (isQuiet || !due.isAsking);
  const later = atTime(then, now, { announceAt, isQuiet });
  return isNoticed ? later : [announced, ...later];
}

interface Deadline {
  readonly at: number;
  readonly slack: number;
  /** Whether the provider is asked before. */
  readonly isAsking: boolean;
  readonly then: (task: Standing) => Standing;
}

function nextDeadline(task: Standing): Deadline | null {
  if (task.isGone || task.refusal !== null || rank(task.state) === rank('FAIL')) return null;
  const { createdAt, isDeserted, isHinted, submission, submissionSince } = task;
  if (task.isOrphan && !task.isVisible && submission === 'waiting') {
    const at = createdAt + TIMES.createWait + TIMES.submitLease;
    return { at, slack: TIMES.submitLease, isAsking: false, then: (orphan) => ({ ...orphan, isGone: true }) };
  }
  if (task.providerTaskId !== null)
    return { at: createdAt + TIMES.taskDeadline, slack: QUESTION, isAsking: true, then: endAs('EXPIRED') };
  const slack = isHinted ? QUESTION : LOOK;
  if (submission === 'unknown') {
    const at = submissionSince + TIMES.submissionGrace;
    // When it became unknown was noticed late already.
    return { at, slack: 2 * slack, isAsking: isHinted, then: endAs('SUBMISSION_UNKNOWN') };
  }
  if (submission !== 'in the air') return null;
  if (!isDeserted) {
    const at = submissionSince + TIMES.createTimeout;
    return { at, slack: 0, isAsking: false, then: (lost) => lose(lost, at) };
  }
  const at = submissionSince + TIMES.createTimeout + TIMES.markMargin;
  return { at, slack, isAsking: isHinted, then: (lost) => lose(lost, at) };
}

function endAs(failure: string): (task: Standing) => Standing {
  return (task) => move(task, { state: 'FAIL', failure, providerTaskId: null });
}

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

/** What the store shows of a task that stands so, as text. */
export function shownAs(standing: Standing): string {
  const { failure, holdsKey, isVisible, providerTaskId, refusal, state } = standing;
  if (standing.isGone) return 'not there';
  return JSON.stringify({ state, failure, isVisible, refusal, providerTaskId, holdsKey });
}

export function storedAs(record: TaskRecord | null): string {
  if (!record) return 'not there';
  const { failure, idempotencyKey, providerTaskId, refusal, revision, state } = record;
  return JSON.stringify({
    state,
    failure: failure?.code ?? null,
    isVisible: revision !== null,
    refusal: refusal?.code ?? null,
    providerTaskId,
    holdsKey: idempotencyKey !== null,
  });
}
