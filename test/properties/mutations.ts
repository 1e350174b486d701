import type { CreateResult } from '../../src/tasks/create.ts';
import { TIMES, isOpen, type KnownTask } from './rules.ts';

interface Mutation {
  readonly name: string;
  readonly owner: string;
  readonly key: string | null;
  readonly prompt: string;
  readonly issuedAt: number;
  /** Its process died before it was answered. */
  isLost: boolean;
  result: CreateResult | null;
  /** When it was first seen to wait although the outcome was there. */
  overdueSince: number | null;
}

export type Mutations = ReturnType<typeof createMutations>;

/** The mutations that clients have sent, and what they were answered. */
export function createMutations(now: () => number) {
  const all: Mutation[] = [];
  const open = (): Mutation[] => all.filter(({ isLost, result }) => !isLost && !result);

  function troubleOf(mutation: Mutation, tasks: readonly KnownTask[]): string | null {
    const { isLost, issuedAt, result } = mutation;
    if (isLost) return null;
    const mine = tasks.filter((task) => concerns(mutation, task));
    if (result) return troubleWith(mutation, result, mine);
    if (now() >= issuedAt + TIMES.createWait) return 'is not answered in time';
    const mayWait = mine.some((task) => task.standings.some(isOpen));
    mutation.overdueSince = mayWait ? null : (mutation.overdueSince ?? now());
    // A twin that came at the very moment of the outcome may not have been told; then it looks for itself.
    const isForgotten = mutation.overdueSince !== null && now() >= mutation.overdueSince + TIMES.outcomeLook;
    return isForgotten ? 'waits, though the outcome is known' : null;
  }

  return {
    add(wish: Pick<Mutation, 'owner' | 'key' | 'prompt'>): Mutation {
      const name = `m${all.length + 1}`;
      const mutation = { ...wish, name, issuedAt: now(), isLost: false, result: null, overdueSince: null };
      all.push(mutation);
      return mutation;
    },
    /** When the first of those that may wait for this task must be answered. */
    deadlineFor(task: KnownTask): number | null {
      const waiting = open().filter((mutation) => concerns(mutation, task));
      const deadlines = waiting.map(({ issuedAt }) => issuedAt + TIMES.createWait);
      return deadlines.length === 0 ? null : Math.min(...deadlines);
    },
    /** The process dies, and with it whoever waits. */
    die() {
      for (const mutation of open()) mutation.isLost = true;
    },
    /** What is wrong with the answers so far, and with those that did not come. */
    judge: (tasks: readonly KnownTask[]): string[] =>
      all.flatMap((mutation) => {
        const trouble = troubleOf(mutation, tasks);
        return trouble === null ? [] : [`${mutation.name} ${trouble}`];
      }),
  };
}

/** Without a key every wish has a prompt of its own. */
function concerns({ key, owner, prompt }: Mutation, task: KnownTask): boolean {
  return task.owner === owner && task.key === key && (key !== null || task.prompt === prompt);
}

function troubleWith({ prompt }: Mutation, result: CreateResult, mine: readonly KnownTask[]): string | null {
  if (result.kind === 'invalid') return 'is invalid';
  if (result.kind === 'refused') {
    const twins = mine.filter((task) => task.prompt === prompt).flatMap(({ standings }) => standings);
    const isTrue = twins.some(({ refusal }) => refusal === result.failure.code);
    return isTrue ? null : `is answered with ${result.failure.code}, which nobody has said`;
  }
  const named = mine.find((task) => task.id === result.task.id);
  if (!named) return 'is answered with a task that is not its own';
  if (named.standings.some(({ isVisible }) => !isVisible)) return 'is answered with a hidden task';
  return (named.prompt === prompt) === (result.kind === 'success') ? null : `is answered with ${result.kind}`;
}
