import type { TaskPorts } from '../../src/tasks/ports.ts';
import type { TaskRecord, TaskState } from '../../src/tasks/task.ts';

/** What a gateway does between a mutation and its subscribers, one step after the other. */
export type Step =
  | 'the insert'
  | 'the mark'
  | 'the create call'
  | 'the announcement'
  | `the writing of ${'WAITING' | 'QUEUING' | 'GENERATING' | 'SUCCESS' | 'a lost answer' | 'a refusal' | 'the end of the grace period'}`
  | 'the taking back of the mark'
  | 'the claim of a check'
  | 'the query'
  | `telling ${TaskState}`;

/** A moment of a gateway's life: just before a step begins, or when it is done and nobody was told so. */
export type Moment =
  `${'before' | 'after'} ${Step}` | 'while a task waits its turn' | 'after the coming of a follower';

interface HeldStep {
  readonly step: Step;
  readonly until: Promise<unknown>;
}

interface MomentOptions {
  /** Called at every moment; at this one it does not return. */
  readonly reached: (moment: Moment) => void;
  readonly dieAt: Moment | null;
  /** Written only when its promise is fulfilled. */
  readonly held: HeldStep | null;
}

/** Ports that tell of every moment. */
export function withMoments(ports: TaskPorts, options: MomentOptions): TaskPorts {
  const { feed, provider } = ports;
  const { reached } = options;
  return {
    ...ports,
    store: { ...ports.store, ...writesWithMoments(ports, options) },
    provider: {
      ...provider,
      createTask: (input, callbackUrl) =>
        around('the create call', () => provider.createTask(input, callbackUrl)),
      queryTask: (id) => around('the query', () => provider.queryTask(id)),
    },
    feed: {
      ...feed,
      onOwner(owner, listener) {
        const detach = feed.onOwner(owner, (changes) => {
          for (const change of changes) {
            reached(`before telling ${change.state}`);
            listener([change]);
            reached(`after telling ${change.state}`);
          }
        });
        reached('after the coming of a follower');
        return detach;
      },
    },
  };

  async function around<T>(step: Step, run: () => Promise<T>): Promise<T> {
    reached(`before ${step}`);
    const result = await run();
    reached(`after ${step}`);
    return result;
  }
}

function writesWithMoments(
  { store }: TaskPorts,
  { dieAt, held, reached }: MomentOptions,
): Pick<TaskPorts['store'], 'insert' | 'save' | 'amend' | 'claimSubmissions' | 'claimDue'> {
  let inserts = 0;
  /** The write after which this gateway dies: a mark in the same commit would be there as well, so none is set meanwhile. */
  let last: Promise<unknown> = Promise.resolve();

  function begin<T>(step: Step, run: () => Promise<T>): Promise<T> {
    reached(`before ${step}`);
    const writing = run();
    if (dieAt === `after ${step}`) last = writing.catch(() => null);
    return writing;
  }

  /** A write that came too late writes nothing: for it there is no moment after. */
  async function write<T>(step: Step, run: () => Promise<T | null>): Promise<T | null> {
    if (step === held?.step) await held.until;
    const written = await begin(step, run);
    if (written !== null) reached(`after ${step}`);
    return written;
  }

  return {
    async insert(record) {
      const stored = await begin('the insert', () => store.insert(record));
      inserts += 1;
      reached('after the insert');
      return stored;
    },
    save: (next) => write(nameOf(next), () => store.save(next)),
    amend: (next) => write(nameOf(next), () => store.amend(next)),
    async claimSubmissions(query) {
      await last;
      // It looks for work all the time; the step is the one in which there is some.
      if (inserts > 0) reached('before the mark');
      const claim = await store.claimSubmissions(query);
      if (claim.records.length > 0) reached('after the mark');
      else if ((await store.waitingByOwner()).size > 0) reached('while a task waits its turn');
      return claim;
    },
    async claimDue(query) {
      const claim = await store.claimDue(query);
      if (claim.records.length > 0) reached('after the claim of a check');
      return claim;
    },
  };
}

/** The step whose result this record is. */
function nameOf(next: TaskRecord): Step {
  const { failure, markedAt, notNowCount, refusal, state, unknownSince } = next;
  if (refusal) return 'the writing of a refusal';
  if (state === 'FAIL')
    return `the writing of ${failure?.code === 'SUBMISSION_UNKNOWN' ? 'the end of the grace period' : 'a refusal'}`;
  if (state !== 'SUBMITTING') return `the writing of ${state}`;
  if (unknownSince !== null) return 'the writing of a lost answer';
  if (notNowCount > 0 && markedAt === null) return 'the taking back of the mark';
  return 'the announcement';
}
