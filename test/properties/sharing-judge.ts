import type { VisibleRecord } from '../../src/tasks/task.ts';
import type { GraphqlOperation } from '../kit/graphql.ts';
import { plainAnswers, type PlainAnswer } from './plain-server.ts';
import type { Inbox } from './sharing-lines.ts';

/** A subscriber, and what is known of when it came. */
export interface Subscriber {
  readonly name: string;
  readonly owner: string;
  readonly operation: GraphqlOperation<unknown>;
  readonly field: 'tasksUpdated' | 'taskUpdated';
  /** Whether it begins with the revision that is the newest when the server reads it. */
  readonly isFromNow: boolean;
  readonly inbox: Inbox;
  /** The newest revision when it was sent, and when its first message had come; null when none has. */
  readonly sentAt: number;
  readonly begunAt: () => number | null;
  /** Whether its socket was ever not read. */
  readonly isSlow: () => boolean;
  /** Whether its socket was closed by its client. */
  readonly isGone: () => boolean;
}

/** What a subscriber may be sent next. */
interface Allowed {
  readonly text: string;
  readonly mayBeMissing: boolean;
}

export interface Verdict {
  /** Whether all that must come has come, and nothing that may not. */
  readonly isRight: () => boolean;
  /** What is wrong with what has come so far; null for nothing. */
  readonly fault: () => string | null;
  /** Whether it was spared changes that a reader who keeps up is sent. */
  readonly hasSkipped: () => boolean;
  readonly isRefused: boolean;
}

/** Compares what a subscriber gets with what a plain server sends. To be asked for when no more changes are made, up to the revision `last`. */
export async function judge(
  subscriber: Subscriber,
  changes: readonly VisibleRecord[],
  last: number,
): Promise<Verdict> {
  const { field, inbox, isFromNow, operation, owner, sentAt } = subscriber;
  const begunAt = subscriber.begunAt() ?? Infinity;
  const plain = (newest: number) => plainAnswers(operation, { owner, changes, newest });
  const whole = await plain(sentAt);
  const isRefused = whole[0]?.change === null;
  const plainOnes: (readonly PlainAnswer[])[] = [whole];
  // Which revision was the newest when the server looked? None that came after its first answer.
  const end = isRefused ? last : Math.min(begunAt, last);
  for (let revision = sentAt + 1; (isFromNow || isRefused) && revision <= end; revision += 1)
    plainOnes.push(
      isRefused ? await plain(revision) : whole.filter(({ change }) => Number(change?.revision) > revision),
    );

  const newestOf = new Map(changes.map(({ id, revision }) => [id, revision]));
  const allowed = plainOnes.map((answers) => allow(answers, subscriber.isSlow()));
  const hasLeft = (): boolean => inbox.end === 'client' || subscriber.isGone();
  const mustEnd = isRefused || field === 'taskUpdated';

  /** No reader misses the newest state of a task; one that keeps up misses no change at all once it has begun. */
  function allow(answers: readonly PlainAnswer[], isSlow: boolean): readonly Allowed[] {
    return answers.map(({ change, text }) => {
      const isOld = change !== null && change.revision !== newestOf.get(change.id);
      const isSpared = field === 'taskUpdated' || isSlow || Number(change?.revision) <= begunAt;
      return { text, mayBeMissing: isOld && isSpared };
    });
  }

  function isOneOf(possible: readonly (readonly Allowed[])[]): boolean {
    return possible.some((one) => isExplained(inbox.came, one, !hasLeft()));
  }

  function problem(): string | null {
    if (!isOneOf(allowed)) return 'was sent';
    if (hasLeft()) return null;
    if (mustEnd) return inbox.end === 'server' ? null : 'was not completed after';
    if (inbox.end === 'server') return 'was completed after';
    return inbox.came.length === 0 ? 'has never begun, and was sent' : null;
  }

  return {
    isRight: () => problem() === null,
    fault() {
      const found = problem();
      return found === null ? null : describe(found, subscriber, allowed[0] ?? []);
    },
    hasSkipped: () => subscriber.isSlow() && !isOneOf(plainOnes.map((answers) => allow(answers, false))),
    isRefused,
  };
}

/** Whether all that came may come so, in that order, and nothing is missing that may not be: from the end on, if not whole. */
function isExplained(came: readonly string[], allowed: readonly Allowed[], isWhole: boolean): boolean {
  // How much of what came can be explained by what was allowed so far.
  let explained = new Set([0]);
  for (const { mayBeMissing, text } of allowed) {
    const next = new Set<number>();
    for (const count of explained) {
      if (came[count] === text) next.add(count + 1);
      if (mayBeMissing || (!isWhole && count === came.length)) next.add(count);
    }
    explained = next;
  }
  return explained.has(came.length);
}

function describe(
  what: string,
  { begunAt, field, inbox, name, operation, sentAt }: Subscriber,
  allowed: readonly Allowed[],
): string {
  return [
    `${name} to ${field} ${what}`,
    ...few(inbox.came.map((text) => `    ${short(text)}`)),
    `  (${inbox.end ?? 'open'}; sent at ${sentAt}, begun at ${String(begunAt())}) where a plain server sends (? may be skipped)`,
    ...few(allowed.map(({ mayBeMissing, text }) => `  ${mayBeMissing ? '?' : ' '} ${short(text)}`)),
    `  to ${short(JSON.stringify(operation), 600)}`,
  ].join('\n');
}

function few(lines: readonly string[]): readonly string[] {
  return lines.length <= 30 ? lines : [...lines.slice(0, 30), `    … and ${lines.length - 30} more`];
}

function short(text: string, length = 200): string {
  return text.length <= length ? text : `${text.slice(0, length)}… (${text.length})`;
}
