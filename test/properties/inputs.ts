import fc from 'fast-check';
import type { TaskUpdate } from '../../src/tasks/apply-update.ts';
import { type TaskFailure, RequestError } from '../../src/tasks/failure.ts';
import type { CreateOutcome, QueryAnswer } from '../../src/tasks/provider.ts';
import type { PendingCall, SimulatedProcess } from '../kit/simulation.ts';
import type { Mutations } from './mutations.ts';
import type { Happening, KnownTask, Says } from './rules.ts';

export type Owner = 'ada' | 'ben';
type CreateEnd = 'accepted' | 'refused' | 'not now' | 'unknown';

/** Something that comes from outside. Numbers choose among what there is at that moment. */
type Input =
  | { readonly do: 'mutate'; readonly owner: Owner; readonly key: 'k' | null; readonly wish: 'x' | 'y' }
  | {
      readonly do: 'answer a create';
      readonly which: number;
      readonly with: CreateEnd;
      readonly id: 'a' | 'b';
    }
  | { readonly do: 'call back'; readonly task: number; readonly id: 'a' | 'b'; readonly says: Says }
  | { readonly do: 'hint'; readonly task: number; readonly id: 'a' | 'b' }
  | { readonly do: 'cancel'; readonly task: number }
  | {
      readonly do: 'answer a query';
      readonly which: number;
      readonly with: Says | 'nothing';
      readonly shows: 'its address' | 'another address' | 'no address';
    };

export type Step =
  /** Begun together, then everything comes to rest. */
  | { readonly step: 'together'; readonly inputs: readonly Input[] }
  /** Begun together, and the process is killed so many turns of the event loop later; another one takes over. */
  | { readonly step: 'kill'; readonly inputs: readonly Input[]; readonly turns: number }
  /** Time passes; quietly: the provider answers queries, but only that it knows nothing. */
  | { readonly step: 'wait'; readonly seconds: number; readonly isQuiet: boolean }
  /** Somebody begins to follow all tasks of an owner, from the beginning or from now on. */
  | { readonly step: 'watch'; readonly owner: Owner; readonly isFromStart: boolean };

const owner = fc.constantFrom<Owner[]>('ada', 'ben');
const id = fc.constantFrom('a', 'a', 'b');
const which = fc.nat({ max: 5 });
const says = fc.constantFrom<Says[]>('WAITING', 'QUEUING', 'GENERATING', 'SUCCESS', 'SUCCESS', 'FAIL', 'odd');

/** Chooses among arbitraries by weight. */
export function weighted<T>(...choices: readonly (readonly [number, fc.Arbitrary<T>])[]): fc.Arbitrary<T> {
  return fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));
}

const mutate: fc.Arbitrary<Input> = fc.record({
  do: fc.constant('mutate'),
  owner,
  key: fc.constantFrom('k', 'k', null),
  wish: fc.constantFrom('x', 'x', 'x', 'y'),
});
const createEnd = fc.constantFrom<CreateEnd[]>('accepted', 'refused', 'not now', 'unknown');
const found = fc.oneof(says, fc.constant('nothing' as const));
const shows = fc.constantFrom('its address', 'another address', 'no address');
const input = weighted<Input>(
  [3, mutate],
  [4, fc.record({ do: fc.constant('answer a create'), which, with: createEnd, id })],
  [2, fc.record({ do: fc.constant('call back'), task: which, id, says })],
  [2, fc.record({ do: fc.constant('hint'), task: which, id })],
  [1, fc.record({ do: fc.constant('cancel'), task: which })],
  [3, fc.record({ do: fc.constant('answer a query'), which, with: found, shows })],
);
const some = fc.array(input, { minLength: 1, maxLength: 3 });
const any = fc.array(input, { maxLength: 3 });
const loud = [1, 5, 16, 35].map((seconds): Step => ({ step: 'wait', seconds, isQuiet: false }));
const quiet = [35, 120, 660, 1860].map((seconds): Step => ({ step: 'wait', seconds, isQuiet: true }));
const step = weighted<Step>(
  [8, fc.record({ step: fc.constant('together'), inputs: some })],
  [1, fc.record({ step: fc.constant('kill'), inputs: any, turns: fc.nat({ max: 8 }) })],
  [3, fc.constantFrom(...loud, ...quiet)],
  [1, fc.record({ step: fc.constant('watch'), owner, isFromStart: fc.boolean() })],
);

/** A life: it begins with a wish, or nothing would come of it. */
export const life: fc.Arbitrary<readonly Step[]> = fc
  .tuple(
    mutate.map((first): Step => ({ step: 'together', inputs: [first] })),
    fc.array(step, { minLength: 5, maxLength: 25, size: 'max' }),
  )
  .map(([first, others]) => [first, ...others]);

/** An input that is on its way. */
export interface Begun {
  readonly line: string;
  /** null for a wish, whose task comes to be by itself. */
  readonly task: KnownTask | null;
  readonly what: Happening;
  /** Whoever gave it was told that it is taken. */
  readonly isAcknowledged: () => boolean;
  /** The provider id that the provider must be asked about at once. */
  readonly hint: string | null;
}

interface Surroundings {
  readonly tasks: readonly KnownTask[];
  readonly mutations: Mutations;
  readonly creates: readonly PendingCall<CreateOutcome>[];
  readonly queries: readonly PendingCall<QueryAnswer>[];
  readonly now: () => number;
  readonly process: () => SimulatedProcess;
  readonly taskOf: (name: string) => KnownTask | undefined;
}

const never = (): boolean => false;

/** Gives an input to the process of the moment, without waiting for anything; null where there is nothing to choose. */
export function begin(world: Surroundings, wanted: Input): Begun | null {
  const at = world.now();
  const { tasks: gateway } = world.process();
  const plain = { isAcknowledged: never, hint: null };

  if (wanted.do === 'mutate') {
    const { key, wish } = wanted;
    const prompt = key === null ? `${wish}${Math.random()}` : wish;
    const mutation = world.mutations.add({ owner: wanted.owner, key, prompt });
    const fields = { prompt, imageUrl: 'https://files.example/a.png', idempotencyKey: key };
    void gateway.create(wanted.owner, fields).then((result) => (mutation.result = result));
    const line = `${mutation.name}: ${wanted.owner} wishes for "${prompt}"${key === null ? '' : ` with key ${key}`}`;
    return { ...plain, line, task: null, what: { kind: 'hinted', at } };
  }
  if (wanted.do === 'answer a create') {
    const call = choose(world.creates, wanted.which);
    const task = call && world.taskOf(call.about);
    if (!task) return null;
    const { with: end } = wanted;
    const providerTaskId = `${task.name}-${wanted.id}`;
    task.calls[task.calls.length - 1] = end;
    call.settle(OUTCOMES[end](providerTaskId));
    const line = `the create call of ${task.name} ends: ${end}${end === 'accepted' ? ` as ${providerTaskId}` : ''}`;
    const code = end === 'refused' ? REFUSED.code : NOT_NOW.code;
    return { ...plain, line, task, what: { kind: end, at, providerTaskId, code } };
  }
  if (wanted.do === 'answer a query') {
    const query = choose(world.queries, wanted.which);
    const task = query && world.taskOf(query.about);
    if (!task) return null;
    const own = world.process().addressOf(task.id);
    const callbackUrl = {
      'its address': own,
      'another address': 'https://elsewhere.example/',
      'no address': null,
    };
    const isOurs = wanted.shows === 'its address';
    query.settle(answerOf(wanted.with, query.about, callbackUrl[wanted.shows]));
    const line = `a query finds ${query.about} ${wanted.with}, showing ${wanted.shows}`;
    const what = { kind: 'shown', at, providerTaskId: query.about, says: wanted.with, isOurs } as const;
    return { ...plain, line, task, what };
  }

  const task = choose(world.tasks, wanted.task);
  if (!task) return null;
  if (wanted.do === 'cancel') {
    // One that nobody was told of cannot be cancelled.
    const answered = gateway.cancel(task.owner, task.id).catch((error: unknown) => {
      if (!(error instanceof RequestError)) throw error;
    });
    const line = `${task.owner} cancels ${task.name}`;
    return {
      line,
      task,
      what: { kind: 'cancelled', at },
      isAcknowledged: acknowledgementOf(answered),
      hint: null,
    };
  }
  const providerTaskId = `${task.name}-${wanted.id}`;
  const isSigned = wanted.do === 'call back';
  const answer = answerOf(isSigned ? wanted.says : 'SUCCESS', providerTaskId, null);
  const report = { taskId: task.id, providerTaskId, answer, callbackUrl: null };
  const taken = gateway.receive(report, isSigned ? 'right' : 'unknown');
  return {
    line: isSigned
      ? `a signed callback says that ${providerTaskId} is ${wanted.says}`
      : `an unsigned callback names ${providerTaskId}`,
    task,
    what: isSigned ? { kind: 'called back', at, providerTaskId, says: wanted.says } : { kind: 'hinted', at },
    isAcknowledged: acknowledgementOf(taken),
    hint: isSigned && wanted.says !== 'odd' ? null : providerTaskId,
  };
}

function choose<T>(from: readonly T[], which: number): T | undefined {
  return from[which % from.length];
}

function acknowledgementOf(taken: Promise<unknown>): () => boolean {
  let isAcknowledged = false;
  void taken.then(() => (isAcknowledged = true));
  return () => isAcknowledged;
}

const REFUSED: TaskFailure = { code: 'INVALID_INPUT', providerCode: '422', message: 'no' };
const NOT_NOW: TaskFailure = { code: 'RATE_LIMITED', providerCode: '429', message: 'not now' };
const BROKEN: TaskFailure = { code: 'GENERATION_FAILED', providerCode: '501', message: 'it broke' };

const OUTCOMES: Record<CreateEnd, (id: string) => CreateOutcome> = {
  accepted: (providerTaskId) => ({ kind: 'accepted', providerTaskId }),
  refused: () => ({ kind: 'refused', failure: REFUSED }),
  'not now': () => ({ kind: 'not-now', failure: NOT_NOW, retryAfterMs: null }),
  unknown: () => ({ kind: 'unknown', reason: 'reset' }),
};

function answerOf(says: Says | 'nothing', providerTaskId: string, callbackUrl: string | null): QueryAnswer {
  if (says === 'nothing') return { kind: 'nothing', reason: 'no word' };
  if (says === 'odd') return { kind: 'running', reason: 'odd', callbackUrl };
  const base = { providerTaskId, creditsConsumed: null };
  const videoUrls = [`https://files.example/${providerTaskId}.mp4`];
  const update: TaskUpdate =
    says === 'SUCCESS'
      ? { ...base, state: says, videoUrls }
      : says === 'FAIL'
        ? { ...base, state: says, failure: BROKEN }
        : { ...base, state: says };
  return { kind: 'update', callbackUrl, update };
}
