import { setTimeout as delay } from 'node:timers/promises';
import type { Succession } from './crash-process.ts';
import { deferred } from './deferred.ts';
import { startFakeProvider, type FakeProvider } from './fake-provider.ts';
import { HMAC_KEY } from './gateway.ts';
import { callbackSuccess, deliverCallback, sign } from './kie-callback.ts';
import { createBody, created, notVisibleYet, record, refused, succeeded } from './kie.ts';
import { recordFailure } from './leftovers.ts';
import type { Answer } from './provider-answer.ts';
import type { ProviderRequest } from './provider-request.ts';
import { createQueue } from './queue.ts';

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
  readonly callbacks?: 'once' | 'twice' | 'never';
}

/** A create call that arrived. */
export interface Create {
  /** The gateway's id, from the callback address. */
  readonly taskId: string;
  readonly prompt: string;
  readonly providerTaskId: string;
  readonly fate: Reaction['fate'];
  readonly callsBack: boolean;
  /** Resolves when its connection is closed: it was answered and read, or one side has died. */
  readonly closed: Promise<void>;
}

/** A kie.ai that outlives the gateways that it talks to, and calls each task's gateway until it says 200. */
export interface CrashProvider {
  readonly url: string;
  /** Every create call so far, in order. */
  readonly creates: readonly Create[];
  /** The oldest create call that nobody has waited for yet: at once, or when it comes. */
  received(): Promise<Create>;
  /** From now on tasks are finished and called back; until then they are all still waiting. */
  finishTasks(): void;
}

export async function startCrashProvider(
  react: (prompt: string) => Reaction,
  running: () => ReturnType<Succession['running']>,
): Promise<CrashProvider> {
  const fake: FakeProvider = await startFakeProvider();
  const creates: Create[] = [];
  const finished = new Set<string>();
  const incoming = createQueue<Create>('a create call');
  const mayFinish = deferred('the finishing of tasks');

  fake.always('createTask', (request) => {
    const reaction = react(createBody(request).input.prompt);
    const create = createOf(request, reaction, `kie-${creates.length + 1}`);
    creates.push(create);
    incoming.push(create);
    if (create.fate === 'taken') void finish(request, create, reaction);
    return answerTo(create, reaction);
  });
  fake.always('recordInfo', ({ query }) => {
    const id = query['taskId'] ?? '';
    if (finished.has(id)) return succeeded(id);
    return creates.some(({ providerTaskId }) => providerTaskId === id) ? record(id) : notVisibleYet();
  });

  async function finish(request: ProviderRequest, create: Create, reaction: Reaction): Promise<void> {
    const { callbacks = 'once', durationMs = 0 } = reaction;
    await mayFinish.promise;
    await delay(durationMs, undefined, { ref: false });
    finished.add(create.providerTaskId);
    const times = { never: 0, once: 1, twice: 2 }[callbacks];
    const path = new URL(createBody(request).callBackUrl ?? '').pathname;
    for (let time = 0; time < times; time += 1) await callBack(path, create.providerTaskId);
  }

  /** Again and again, until a gateway has taken it. */
  async function callBack(path: string, providerTaskId: string): Promise<void> {
    for (;;) {
      const gateway = await running();
      try {
        const body = callbackSuccess(providerTaskId);
        const { status } = await deliverCallback(gateway.url + path, body, sign(HMAC_KEY, providerTaskId));
        if (status !== 200) recordFailure(`a callback for ${providerTaskId} was answered with ${status}`);
        return;
      } catch {
        await gateway.died;
      }
    }
  }

  return {
    url: fake.url,
    creates,
    received: incoming.take,
    finishTasks: () => {
      mayFinish.resolve();
    },
  };
}

function createOf(request: ProviderRequest, reaction: Reaction, providerTaskId: string): Create {
  const { callBackUrl = '', input } = createBody(request);
  const [, , , taskId = ''] = new URL(callBackUrl).pathname.split('/');
  return {
    taskId,
    prompt: input.prompt,
    providerTaskId,
    fate: reaction.fate,
    callsBack: reaction.fate === 'taken' && reaction.callbacks !== 'never',
    closed: request.closed,
  };
}

function answerTo({ providerTaskId }: Create, reaction: Reaction): Answer {
  const { answer, delayMs, fate, gate } = reaction;
  const when = { ...(gate && { gate }), ...(delayMs !== undefined && { delayMs }) };
  if (answer === 'never') return { hang: true };
  if (answer === 'cut') return { ...when, cutAfterBytes: 0 };
  return { ...answerFor(), ...when };

  function answerFor(): Answer {
    switch (fate) {
      case 'taken':
        return created(providerTaskId);
      case 'refused':
        return refused(422, 'image_url is not an image');
      case 'not now':
        return refused(429, 'too many requests');
      case 'lost':
        return { status: 502, body: '<html>Bad gateway</html>' };
    }
  }
}
