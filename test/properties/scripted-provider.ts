import type { Clock } from '../../src/tasks/clock.ts';
import type { CreateOutcome, Provider, QueryAnswer } from '../../src/tasks/provider.ts';
import { TIMES } from './rules.ts';

/** A call to the provider that somebody waits for. */
export interface PendingCall<TAnswer> {
  /** The callback address of a create call, the provider's id of a query. */
  readonly about: string;
  readonly settle: (answer: TAnswer) => void;
}

export interface ScriptedProvider extends Provider {
  /** Calls that are not answered yet, oldest first. */
  readonly creates: PendingCall<CreateOutcome>[];
  readonly queries: PendingCall<QueryAnswer>[];
  /** From now on queries are answered at once with nothing, or left pending. */
  answerQueries(isAnswering: boolean): void;
  /** Nobody waits for its calls any more. */
  forgetCalls(): void;
}

/** A provider whose calls stay pending until the test settles them, in whichever order, or a create call times out. */
export function createScriptedProvider(
  clock: Clock,
  tell: {
    readonly created: (callbackUrl: string) => void;
    readonly asked: (providerTaskId: string) => void;
  },
): ScriptedProvider {
  const creates: PendingCall<CreateOutcome>[] = [];
  const queries: PendingCall<QueryAnswer>[] = [];
  let isAnswering = false;

  return {
    creates,
    queries,
    createTask(_input, callbackUrl) {
      if (callbackUrl === null) throw new Error('these worlds have callback addresses');
      tell.created(callbackUrl);
      const outcome = pend(creates, callbackUrl);
      const call = creates.at(-1);
      // As the real one does, whose calls all end.
      clock.after(TIMES.createTimeout, () => {
        if (call && creates.includes(call)) call.settle({ kind: 'unknown', reason: 'no whole answer' });
      });
      return outcome;
    },
    queryTask(providerTaskId) {
      tell.asked(providerTaskId);
      return isAnswering ? Promise.resolve(NOTHING) : pend(queries, providerTaskId);
    },
    credits: () => Promise.resolve(null),
    close: () => Promise.resolve(),
    answerQueries(value) {
      isAnswering = value;
      if (value) for (const query of [...queries]) query.settle(NOTHING);
    },
    forgetCalls() {
      creates.length = 0;
      queries.length = 0;
    },
  };
}

const NOTHING: QueryAnswer = { kind: 'nothing', reason: 'recordInfo is null' };

function pend<TAnswer>(calls: PendingCall<TAnswer>[], about: string): Promise<TAnswer> {
  return new Promise((resolve) => {
    const call = {
      about,
      settle: (answer: TAnswer) => {
        calls.splice(calls.indexOf(call), 1);
        resolve(answer);
      },
    };
    calls.push(call);
  });
}
