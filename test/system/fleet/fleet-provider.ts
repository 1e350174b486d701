import { setTimeout as delay } from 'node:timers/promises';
import { startFakeProvider, type Answer, type ProviderRequest } from '../../kit/provider.ts';
import { HMAC_KEY } from '../../kit/gateway.ts';
import {
  callbackFail,
  callbackSuccess,
  deliverCallback,
  sign,
  createBody,
  created,
  failed,
  notVisibleYet,
  record,
  refused,
  succeeded,
} from '../../kit/kie.ts';
import { onTestEnd, recordFailure, createQueue } from '../../kit/waits.ts';

/** A create call that arrived. `lost`: nothing was taken, and no answer says so. */
export interface FleetCreate {
  readonly prompt: string;
  /** The gateway's id, from the callback address. */
  readonly taskId: string;
  readonly replica: string;
  readonly fate: 'taken' | 'lost' | 'not now';
  /** Whether the provider sends an answer that says what became of it. */
  readonly isAnswered: boolean;
  readonly end: 'SUCCESS' | 'FAIL';
  readonly callbacks: 0 | 1 | 2;
  readonly providerTaskId: string;
  /** By performance.now(), as all times here. */
  readonly at: number;
  /** When its connection was gone. */
  closedAt: number | null;
}

export interface FleetQuery {
  readonly providerTaskId: string;
  readonly replica: string;
  readonly from: number;
  /** When it was answered or cut. */
  to: number;
}

export interface FleetProvider {
  readonly url: string;
  readonly creates: readonly FleetCreate[];
  readonly queries: readonly FleetQuery[];
  /** The oldest create call of a replica that nobody took by this method; its answer takes some time yet. */
  received(replica: string): Promise<FleetCreate>;
  /** How many callbacks were answered with each status. */
  readonly answers: ReadonlyMap<number, number>;
  /** Ends the repetition of callbacks. */
  stop(): void;
}

/** A kie.ai for many gateways that answers at all speeds, loses answers and callbacks, and doubles callbacks. */
export async function startFleetProvider(random: () => number): Promise<FleetProvider> {
  const fake = await startFakeProvider();
  const creates: FleetCreate[] = [];
  const queries: FleetQuery[] = [];
  const byId = new Map<string, FleetCreate>();
  const ended = new Set<string>();
  const answers = new Map<number, number>();
  const incoming = createQueue<FleetCreate>('a create call of a replica');
  let isStopped = false;

  fake.always('createTask', (request) => {
    const create = createOf(request, `kie-${creates.length + 1}`, random);
    creates.push(create);
    incoming.push(create);
    void request.closed.then(() => (create.closedAt = performance.now()));
    if (create.fate === 'taken') {
      byId.set(create.providerTaskId, create);
      void finish(create, createBody(request).callBackUrl ?? '');
    }
    return { ...answerTo(create), delayMs: 50 + random() * 350 };
  });

  fake.always('recordInfo', async (request) => {
    const providerTaskId = request.query['taskId'] ?? '';
    const query: FleetQuery = {
      providerTaskId,
      replica: replicaOf(request),
      from: performance.now(),
      to: Infinity,
    };
    queries.push(query);
    await Promise.race([delay(50 + random() * 200), request.closed]);
    query.to = performance.now();
    const create = byId.get(providerTaskId);
    if (!create) return notVisibleYet();
    if (!ended.has(providerTaskId)) return record(providerTaskId);
    return create.end === 'SUCCESS' ? succeeded(providerTaskId) : failed(providerTaskId);
  });

  async function finish(create: FleetCreate, callbackUrl: string): Promise<void> {
    await delay(random() * 2500, undefined, { ref: false });
    ended.add(create.providerTaskId);
    for (let time = 0; time < create.callbacks; time += 1) await callBack(create, callbackUrl);
  }

  /** Again and again, as kie.ai does until it hears 200. */
  async function callBack({ end, providerTaskId }: FleetCreate, callbackUrl: string): Promise<void> {
    const body = end === 'SUCCESS' ? callbackSuccess(providerTaskId) : callbackFail(providerTaskId);
    while (!isStopped) {
      const answer = await deliverCallback(callbackUrl, body, sign(HMAC_KEY, providerTaskId)).catch(
        (error: unknown) => {
          // The test has ended, and its load balancer with it.
          if (!isStopped) throw error;
        },
      );
      if (!answer) return;
      const { headers, status } = answer;
      answers.set(status, (answers.get(status) ?? 0) + 1);
      if (status === 200) return;
      const isOutage = status === 502 || (status === 503 && headers.get('retry-after') !== null);
      if (!isOutage) recordFailure(`a callback for ${providerTaskId} was answered with ${status}`);
      await delay(300, undefined, { ref: false });
    }
  }

  const stop = (): void => {
    isStopped = true;
  };
  onTestEnd(stop);
  return {
    url: fake.url,
    creates,
    queries,
    answers,
    received: (replica) => incoming.take((create) => create.replica === replica && create.closedAt === null),
    stop,
  };
}

function createOf(request: ProviderRequest, providerTaskId: string, random: () => number): FleetCreate {
  const { callBackUrl = '', input } = createBody(request);
  const [, , , taskId = ''] = new URL(callBackUrl).pathname.split('/');
  const kind = random();
  const callbacks = random();
  return {
    prompt: input.prompt,
    taskId,
    replica: replicaOf(request),
    fate: kind < 0.05 ? 'not now' : kind < 0.07 ? 'lost' : 'taken',
    isAnswered: kind < 0.05 || kind > 0.1,
    end: random() < 0.9 ? 'SUCCESS' : 'FAIL',
    callbacks: callbacks < 0.1 ? 0 : callbacks < 0.2 ? 2 : 1,
    providerTaskId,
    at: performance.now(),
    closedAt: null,
  };
}

function replicaOf({ headers }: ProviderRequest): string {
  return (headers.authorization ?? '').replace('Bearer ', '');
}

function answerTo({ fate, isAnswered, providerTaskId }: FleetCreate): Answer {
  if (fate === 'not now') return refused(429, 'too many requests');
  if (fate === 'lost') return { status: 502, body: '<html>Bad gateway</html>' };
  return isAnswered ? created(providerTaskId) : { cutAfterBytes: 0 };
}
