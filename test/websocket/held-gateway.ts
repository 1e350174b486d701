import { request } from 'node:http';
import type { TaskPorts } from '../../src/tasks/ports.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway, type GatewayOptions } from '../kit/gateway.ts';
import { deferred, onTestEnd } from '../kit/waits.ts';
import type { GraphqlOperation, ResultStream } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { openSse } from '../kit/sse.ts';

export interface HeldGateway {
  readonly gateway: Gateway;
  readonly held: HeldStore;
  /** What the gateway itself works with: its reads can be held. */
  readonly ports: TaskPorts;
  /** The same store, never held: what is written here is published to the gateway's subscribers. */
  readonly store: TaskStore;
  /** How many listeners were ever attached to the feed. */
  readonly attached: () => number;
}

/** A gateway between whose steps a test can put changes. Its provider is never asked anything. */
export async function startHeldGateway(
  options: Omit<GatewayOptions, 'overrides'> = {},
): Promise<HeldGateway> {
  let kit: Omit<HeldGateway, 'gateway'> | undefined;
  const wrap = (ports: TaskPorts): TaskPorts => {
    const counted = countAttached(ports);
    const held = holdStore(ports.store);
    const own = { ...ports, feed: counted.feed, store: held.store };
    kit = { held, ports: own, store: ports.store, attached: counted.attached };
    return own;
  };
  const provider = options.provider ?? (await startFakeProvider());
  const gateway = await startGateway({ ...options, provider, overrides: { wrap } });
  if (!kit) throw new Error('The gateway did not wrap its ports');
  return { gateway, ...kit };
}

function countAttached({ feed }: TaskPorts) {
  let count = 0;
  return {
    attached: () => count,
    feed: {
      ...feed,
      onTask: (...args: Parameters<typeof feed.onTask>) => {
        count += 1;
        return feed.onTask(...args);
      },
      onOwner: (...args: Parameters<typeof feed.onOwner>) => {
        count += 1;
        return feed.onOwner(...args);
      },
    },
  };
}

type ReadName = 'find' | 'changesAfter' | 'newestRevision';
type Intercept = <T>(read: () => Promise<T>) => Promise<T>;

/** One read that is stopped on its way. */
export interface Hold {
  /** Resolves when the read has been begun, and done as far as it may. */
  readonly reached: Promise<void>;
  readonly release: () => void;
}

interface HeldStore {
  readonly store: TaskStore;
  /** Stops the next read of this kind that is not taken yet, before it reads. */
  holdRead(name: ReadName): Hold;
  /** Stops the next read of this kind that is not taken yet when it has read: its answer grows old. */
  holdAnswer(name: ReadName): Hold;
  /** Has the next read of this kind that is not taken yet reject. */
  fail(name: ReadName, error: Error): void;
  /** Lets the next read of this kind that is not taken yet pass: for holding the one after it. */
  pass(name: ReadName): void;
  /** How many reads of this kind were begun. */
  reads(name: ReadName): number;
}

/** A store whose reads a test can stop at a chosen moment; everything else is the store's own. */
function holdStore(inner: TaskStore): HeldStore {
  const intercepts: Record<ReadName, Intercept[]> = { find: [], changesAfter: [], newestRevision: [] };

  const reads: Record<ReadName, number> = { find: 0, changesAfter: 0, newestRevision: 0 };

  const through = <T>(name: ReadName, read: () => Promise<T>): Promise<T> => {
    reads[name] += 1;
    const intercept = intercepts[name].shift();
    return intercept ? intercept(read) : read();
  };
  const hold = (name: ReadName, when: 'before' | 'after'): Hold => {
    const reached = deferred(`a read "${name}" of the store`);
    const released = deferred();
    intercepts[name].push(async (read) => {
      const early = when === 'after' ? { answer: await read() } : null;
      reached.resolve();
      await released.promise;
      return early ? early.answer : read();
    });
    return { reached: reached.promise, release: released.resolve };
  };

  return {
    store: {
      ...inner,
      find: (...args) => through('find', () => inner.find(...args)),
      changesAfter: (...args) => through('changesAfter', () => inner.changesAfter(...args)),
      newestRevision: () => through('newestRevision', () => inner.newestRevision()),
    },
    holdRead: (name) => hold(name, 'before'),
    holdAnswer: (name) => hold(name, 'after'),
    fail: (name, error) => intercepts[name].push(() => Promise.reject(error)),
    pass: (name) => intercepts[name].push((read) => read()),
    reads: (name) => reads[name],
  };
}

/** A subscription whose client can leave without a word. */
export interface DoorStream<TData> extends ResultStream<TData> {
  /** Cuts the connection that it came over. */
  cut(): void;
}

/** A way by which subscriptions come in. */
interface Door {
  readonly name: string;
  /** Subscribes over a connection of its own. Over SSE it resolves when the server has begun to answer. */
  readonly subscribe: <TData>(url: string, operation: GraphqlOperation<TData>) => Promise<DoorStream<TData>>;
  /** Subscribes without waiting for any answer and reads nothing; returns how to cut the connection. */
  readonly begin: (url: string, operation: GraphqlOperation<unknown>) => Promise<() => void>;
}

const webSocket: Door = {
  name: 'WebSocket',
  async subscribe(url, operation) {
    const client = await openGraphqlWs(url);
    return { ...client.subscribe(operation), cut: client.terminate };
  },
  async begin(url, operation) {
    const client = await openGraphqlWs(url);
    client.subscribe(operation);
    client.pause();
    return client.terminate;
  },
};

export const sse: Door = {
  name: 'SSE',
  async subscribe(url, operation) {
    const stream = await openSse(url, operation);
    return { ...stream, cut: stream.close };
  },
  begin(url, operation) {
    const headers = { accept: 'text/event-stream', 'content-type': 'application/json' };
    // Without a listener for its response nothing of it is read.
    const call = request(url, { method: 'POST', headers }, () => undefined);
    call.on('error', () => undefined);
    call.end(JSON.stringify(operation));
    const cut = (): void => {
      call.destroy();
    };
    onTestEnd(cut);
    return Promise.resolve(cut);
  },
};

/** What is promised of subscriptions is promised over both. */
export const DOORS: readonly Door[] = [webSocket, sse];
