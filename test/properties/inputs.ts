import type { TaskUpdate } from '../../src/tasks/apply-update.ts';
import { type TaskFailure, RequestError } from '../../src/tasks/failure.ts';
import type { CreateOutcome, QueryAnswer } from '../../src/tasks/provider.ts';
import type { KnownTask } from './known-tasks.ts';
import type { Mutations } from './mutations.ts';
import type { Process } from './process.ts';
import type { Happening, Says } from './rules.ts';
import type { ScriptedProvider } from './scripted-provider.ts';
import type { Input } from './steps.ts';

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
  readonly provider: ScriptedProvider;
  readonly now: () => number;
  readonly process: () => Process;
  readonly taskOf: (name: string) => KnownTask | undefined;
}

const never = (): boolean => false;

/** Gives inputs to the process of the moment, without waiting for anything; null where there is nothing to choose. */
export function createInputs({ mutations, now, process, provider, taskOf, tasks }: Surroundings) {
  function mutate({ key, owner, wish }: Input & { do: 'mutate' }): Begun {
    const { tasks: gateway } = process();
    const mutation = mutations.add({ owner, key, prompt: key === null ? `${wish}${Math.random()}` : wish });
    const { name, prompt } = mutation;
    const input = { prompt, imageUrl: 'https://files.example/a.png', idempotencyKey: key };
    void gateway.create(owner, input).then((result) => (mutation.result = result));
    const line = `${name}: ${owner} wishes for "${prompt}"${key === null ? '' : ` with key ${key}`}`;
    return { line, task: null, what: { kind: 'hinted', at: now() }, isAcknowledged: never, hint: null };
  }

  function answerCreate({ id, which, with: end }: Input & { do: 'answer a create' }): Begun | null {
    const call = choose(provider.creates, which);
    const task = call && taskOf(call.about);
    if (!task) return null;
    const providerTaskId = `${task.name}-${id}`;
    task.calls[task.calls.length - 1] = end;
    call.settle(OUTCOMES[end](providerTaskId));
    const line = `the create call of ${task.name} ends: ${end}${end === 'accepted' ? ` as ${providerTaskId}` : ''}`;
    const code = end === 'refused' ? REFUSED.code : NOT_NOW.code;
    const what = { kind: end, at: now(), providerTaskId, code };
    return { line, task, what, isAcknowledged: never, hint: null };
  }

  function callBack({ id, says, task: which }: Input & { do: 'call back' }): Begun | null {
    const task = choose(tasks, which);
    if (!task) return null;
    const providerTaskId = `${task.name}-${id}`;
    const answer = answerOf(says, providerTaskId, null);
    const taken = process().tasks.receive(
      { taskId: task.id, providerTaskId, answer, callbackUrl: null },
      'right',
    );
    return {
      line: `a signed callback says that ${providerTaskId} is ${says}`,
      task,
      what: { kind: 'called back', at: now(), providerTaskId, says },
      isAcknowledged: acknowledgementOf(taken),
      hint: says === 'odd' ? providerTaskId : null,
    };
  }

  function hint({ id, task: which }: Input & { do: 'hint' }): Begun | null {
    const task = choose(tasks, which);
    if (!task) return null;
    const providerTaskId = `${task.name}-${id}`;
    const answer = answerOf('SUCCESS', providerTaskId, null);
    const report = { taskId: task.id, providerTaskId, answer, callbackUrl: null };
    const taken = process().tasks.receive(report, 'unknown');
    return {
      line: `an unsigned callback names ${providerTaskId}`,
      task,
      what: { kind: 'hinted', at: now() },
      isAcknowledged: acknowledgementOf(taken),
      hint: providerTaskId,
    };
  }

  function answerQuery({ shows, which, with: says }: Input & { do: 'answer a query' }): Begun | null {
    const query = choose(provider.queries, which);
    const task = query && taskOf(query.about);
    if (!task) return null;
    const addresses = {
      'its address': 'own',
      'another address': 'https://elsewhere.example/',
      'no address': null,
    };
    const address = addresses[shows];
    const callbackUrl = address === 'own' ? addressOf(task) : address;
    query.settle(
      says === 'nothing' ? { kind: 'nothing', reason: 'no word' } : answerOf(says, query.about, callbackUrl),
    );
    return {
      line: `a query finds ${query.about} ${says}, showing ${shows}`,
      task,
      what: {
        kind: 'shown',
        at: now(),
        providerTaskId: query.about,
        says,
        isOurs: shows === 'its address',
      },
      isAcknowledged: never,
      hint: null,
    };
  }

  function cancel({ task: which }: Input & { do: 'cancel' }): Begun | null {
    const task = choose(tasks, which);
    if (!task) return null;
    // One that nobody was told of cannot be cancelled.
    const answered = process()
      .tasks.cancel(task.owner, task.id)
      .catch((error: unknown) => {
        if (!(error instanceof RequestError)) throw error;
      });
    return {
      line: `${task.owner} cancels ${task.name}`,
      task,
      what: { kind: 'cancelled', at: now() },
      isAcknowledged: acknowledgementOf(answered),
      hint: null,
    };
  }

  function addressOf(task: KnownTask): string {
    return process().addressOf(task.id);
  }

  return {
    begin(input: Input): Begun | null {
      switch (input.do) {
        case 'mutate':
          return mutate(input);
        case 'answer a create':
          return answerCreate(input);
        case 'call back':
          return callBack(input);
        case 'hint':
          return hint(input);
        case 'answer a query':
          return answerQuery(input);
        case 'cancel':
          return cancel(input);
      }
    },
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

const OUTCOMES: Record<(Input & { do: 'answer a create' })['with'], (id: string) => CreateOutcome> = {
  accepted: (providerTaskId) => ({ kind: 'accepted', providerTaskId }),
  refused: () => ({ kind: 'refused', failure: REFUSED }),
  'not now': () => ({ kind: 'not-now', failure: NOT_NOW, retryAfterMs: null }),
  unknown: () => ({ kind: 'unknown', reason: 'reset' }),
};

function answerOf(says: Says, providerTaskId: string, callbackUrl: string | null): QueryAnswer {
  if (says === 'odd') return { kind: 'running', reason: 'odd', callbackUrl };
  return { kind: 'update', callbackUrl, update: updateOf(says, providerTaskId) };
}

function updateOf(state: Exclude<Says, 'odd'>, providerTaskId: string): TaskUpdate {
  const base = { providerTaskId, creditsConsumed: null };
  if (state === 'SUCCESS')
    return { ...base, state, videoUrls: [`https://files.example/${providerTaskId}.mp4`] };
  if (state !== 'FAIL') return { ...base, state };
  return { ...base, state, failure: { code: 'GENERATION_FAILED', providerCode: '501', message: 'it broke' } };
}
