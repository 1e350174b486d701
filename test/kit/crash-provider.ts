import { setTimeout as delay } from 'node:timers/promises';
import type { ApiTask } from './documents.ts';
import { HMAC_KEY } from './gateway.ts';
import * as kie from './kie.ts';
import { startFakeProvider, type Answer, type ProviderRequest } from './provider.ts';
import { createQueue, deferred, onTestEnd, recordFailure } from './waits.ts';

/** What becomes of a create call. `lost`: nothing was taken, and no answer says so. */
export interface Reaction {
  readonly fate: 'taken' | 'lost' | 'refused' | 'not now';
  /** What happens to the answer: it arrives, it is cut off, or it never comes. */
  readonly answer: 'arrives' | 'cut' | 'never';
  /** Nothing is answered before. */
  readonly gate?: Promise<unknown>;
  readonly delayMs?: number;
  /** How long the video takes, in ms. */
  readonly durationMs?: number;
  readonly end?: 'SUCCESS' | 'FAIL';
  /** How often its end is called back; once when left out. */
  readonly callbacks?: 0 | 1 | 2;
}

/** A create call that arrived. */
export interface Create {
  readonly reaction: Reaction;
  /** The gateway's id, from the callback address. */
  readonly taskId: string;
  readonly prompt: string;
  readonly providerTaskId: string;
  /** The key with which it was made. */
  readonly caller: string;
  /** By performance.now(), as all times here. */
  readonly at: number;
  /** When its connection was gone; null while it is there. */
  closedAt: number | null;
  /** Resolves when its connection is closed: it was answered and read, or one side has died. */
  readonly closed: Promise<void>;
}

export interface Query {
  readonly providerTaskId: string;
  readonly caller: string;
  readonly at: number;
  /** When it was answered or cut. */
  until: number;
}

/** A kie.ai that outlives the gateways that use it, and calls back again and again until it hears 200. */
interface CrashProvider {
  readonly url: string;
  /** Every create call so far, in order. */
  readonly creates: readonly Create[];
  readonly queries: readonly Query[];
  /** The oldest create call that is accepted and that nobody has waited for yet: at once, or when it comes. */
  received(accepts?: (create: Create) => boolean): Promise<Create>;
  /** From now on tasks are finished and called back; until then they are all still waiting. */
  finishTasks(): void;
}

/** `queryMs`: how long a query takes. */
export async function startCrashProvider(
  react: (prompt: string) => Reaction,
  queryMs: () => number = () => 0,
): Promise<CrashProvider> {
  const fake = await startFakeProvider();
  const creates: Create[] = [];
  const queries: Query[] = [];
  const taken = new Map<string, Create>();
  const finished = new Set<string>();
  const incoming = createQueue<Create>('a create call');
  const mayFinish = deferred('the finishing of tasks');
  let isOver = false;
  onTestEnd(() => void (isOver = true));

  fake.always('createTask', (request) => {
    const create = createOf(request, react(kie.createBody(request).input.prompt), creates.length + 1);
    creates.push(create);
    incoming.push(create);
    void request.closed.then(() => (create.closedAt = performance.now()));
    if (create.reaction.fate === 'taken') {
      taken.set(create.providerTaskId, create);
      void finish(create, kie.createBody(request).callBackUrl ?? '');
    }
    return answerTo(create);
  });

  fake.always('recordInfo', async (request) => {
    const id = request.query['taskId'] ?? '';
    const at = performance.now();
    const query: Query = { providerTaskId: id, caller: callerOf(request), at, until: Infinity };
    queries.push(query);
    await Promise.race([delay(queryMs()), request.closed]);
    query.until = performance.now();
    const create = taken.get(id);
    if (!create) return kie.notVisibleYet();
    if (!finished.has(id)) return kie.record(id);
    return create.reaction.end === 'FAIL' ? kie.failed(id) : kie.succeeded(id);
  });

  async function finish({ providerTaskId, reaction }: Create, callbackUrl: string): Promise<void> {
    await mayFinish.promise;
    await delay(reaction.durationMs ?? 0, undefined, { ref: false });
    finished.add(providerTaskId);
    const body =
      reaction.end === 'FAIL' ? kie.callbackFail(providerTaskId) : kie.callbackSuccess(providerTaskId);
    for (let time = 0; time < (reaction.callbacks ?? 1); time += 1)
      while (!isOver && !(await isTaken(callbackUrl, body, providerTaskId)))
        await delay(100, undefined, { ref: false });
  }

  async function isTaken(url: string, body: kie.KieCallback, id: string): Promise<boolean> {
    const { headers, status } = await kie
      .deliverCallback(url, body, kie.sign(HMAC_KEY, id))
      // The load balancer has ended, as the test has.
      .catch(() => ({ headers: new Headers(), status: isOver ? 200 : 0 }));
    // 0: the gateway died within its answer, and the load balancer cut the connection.
    const isOutage = status === 0 || status === 502 || (status === 503 && headers.has('retry-after'));
    if (status !== 200 && !isOutage) recordFailure(`a callback was answered with ${status}`);
    return status === 200;
  }

  return { url: fake.url, creates, queries, received: incoming.take, finishTasks: mayFinish.resolve };
}

function createOf(request: ProviderRequest, reaction: Reaction, number: number): Create {
  const { callBackUrl = '', input } = kie.createBody(request);
  const [, , , taskId = ''] = new URL(callBackUrl).pathname.split('/');
  return {
    reaction,
    taskId,
    prompt: input.prompt,
    providerTaskId: `kie-${number}`,
    caller: callerOf(request),
    at: performance.now(),
    closedAt: null,
    closed: request.closed,
  };
}

function callerOf({ headers }: ProviderRequest): string {
  return (headers.authorization ?? '').replace('Bearer ', '');
}

function answerTo({ providerTaskId, reaction }: Create): Answer {
  const { answer, delayMs, fate, gate } = reaction;
  const when = { ...(gate && { gate }), ...(delayMs !== undefined && { delayMs }) };
  if (answer === 'never') return { hang: true };
  if (answer === 'cut') return { ...when, cutAfterBytes: 0 };
  return { ...answers[fate](providerTaskId), ...when };
}

const answers: Readonly<Record<Reaction['fate'], (id: string) => Answer>> = {
  taken: kie.created,
  refused: () => kie.refused(422, 'image_url is not an image'),
  'not now': () => kie.refused(429, 'too many requests'),
  lost: () => ({ status: 502, body: '<html>Bad gateway</html>' }),
};

/**
 * What is wrong with how a task ended, by the create calls for it; null when nothing is. `isDoubtful`: a gateway that died may
 * have taken with it what became of a call, or, without one, of what would have been the next.
 */
export function troubleOf(
  task: ApiTask,
  creates: readonly Create[],
  isDoubtful: (create: Create | undefined) => boolean,
): string | null {
  const binding = creates.filter(({ reaction: { fate } }) => fate === 'taken' || fate === 'lost');
  if (binding.length > 1) return `${binding.length} create calls that could have been paid for`;
  const [create] = binding;
  if (create && create.taskId !== task.id) return `another task, ${create.taskId}, was created`;
  const end = task.failure?.code ?? task.state;
  if (possibleEnds().includes(end)) return null;
  return `the provider says ${JSON.stringify(create ?? creates)}, the task says ${end}`;

  function possibleEnds(): readonly string[] {
    const unknown = isDoubtful(create ?? creates.at(-1)) ? ['SUBMISSION_UNKNOWN'] : [];
    if (!create) {
      const isRefused = creates.some(({ reaction }) => reaction.fate === 'refused');
      return isRefused ? ['INVALID_INPUT', ...unknown] : unknown;
    }
    const { answer, callbacks = 1, end: fate = 'SUCCESS', fate: taken } = create.reaction;
    if (taken === 'lost') return ['SUBMISSION_UNKNOWN'];
    // A callback and a query tell the same failure with different codes.
    const truth = fate === 'SUCCESS' ? ['SUCCESS'] : ['GENERATION_FAILED', 'SERVER_ERROR'];
    const isAnswered = answer === 'arrives';
    const isHeardOf = callbacks > 0 || task.providerTaskId !== null || (isAnswered && unknown.length === 0);
    return isHeardOf ? truth : ['SUBMISSION_UNKNOWN'];
  }
}
