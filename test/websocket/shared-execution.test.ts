import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  execute,
  getNamedType,
  isObjectType,
  parse,
  type ExecutionResult,
  type GraphQLOutputType,
} from 'graphql';
import { describe, expect, test, vi } from 'vitest';
import { schema } from '../../src/schema/schema.ts';
import type { TaskPorts } from '../../src/tasks/ports.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { startGateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { onTestEnd } from '../kit/waits.ts';
import { eventually } from './eventually.ts';
import { addTask, waitingRecord } from './stored-tasks.ts';

const PROMPTS = 'subscription ($after: SafeInt) { tasksUpdated(after: $after) { prompt } }';
const BROKEN = 'a prompt that cannot be read';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** A gateway that counts how often the prompt of a change is read, which is once for each execution. */
async function startCounting() {
  let reads = 0;
  let ports: TaskPorts | undefined;
  const counted = (changes: readonly VisibleRecord[]) =>
    changes.map((change) =>
      Object.defineProperty({ ...change }, 'prompt', {
        get() {
          reads += 1;
          if (change.prompt === BROKEN) throw new Error('a secret');
          return change.prompt;
        },
      }),
    );
  const wrap = (made: TaskPorts): TaskPorts => {
    const { feed, store } = (ports = made);
    return {
      ...made,
      store: { ...store, changesAfter: async (...args) => counted(await store.changesAfter(...args)) },
      feed: {
        ...feed,
        onTask: (id, listener) =>
          feed.onTask(id, (changes) => {
            listener(counted(changes));
          }),
        onOwner: (owner, listener) =>
          feed.onOwner(owner, (changes) => {
            listener(counted(changes));
          }),
      },
    };
  };
  const gateway = await startGateway({ provider: await startFakeProvider(), overrides: { wrap } });
  if (!ports) throw new Error('The gateway did not wrap its ports');
  const { store } = ports;
  /** Subscribes over a socket of its own, and waits until the subscription follows the feed. */
  const watch = async (query: string, variables = {}, id?: string) => {
    const before = gateway.app.stats().listeners;
    const socket = await openGraphqlWs(gateway.graphqlUrl);
    const stream = socket.subscribe({ query, variables }, id);
    await eventually('the subscription is attached', () => gateway.app.stats().listeners > before);
    // What was read by then came before what the pong follows.
    socket.send({ type: 'ping' });
    await socket.message(({ type }) => type === 'pong');
    return { ...stream, socket };
  };
  return { gateway, reads: () => reads, store, watch };
}

describe('subscriptions', () => {
  const NESTED = 'subscription ($if: Boolean!) { tasksUpdated { prompt state @include(if: $if) } }';
  const FRAGMENT = `subscription ($if: Boolean!) { tasksUpdated { ...F } }
    fragment F on Task { prompt state @skip(if: $if) }`;
  const ROOT = `subscription ($after: SafeInt) { ...F }
    fragment F on Subscription { tasksUpdated(after: $after) { prompt } }`;

  test.each<[string, string, object, string, object, number]>([
    ['that differ in arguments of the root field share', PROMPTS, { after: 0 }, PROMPTS, {}, 1],
    ['with equal nested variables share', NESTED, { if: true }, NESTED, { if: true }, 1],
    ['with other nested variables do not share', NESTED, { if: true }, NESTED, { if: false }, 2],
    ['with other variables in a fragment do not share', FRAGMENT, { if: true }, FRAGMENT, { if: false }, 2],
    ['with other variables in a fragment of the root do not share', ROOT, { after: 0 }, ROOT, {}, 2],
    ['with other documents do not share', PROMPTS, {}, 'subscription { tasksUpdated { prompt id } }', {}, 2],
  ])('%s the execution of a change', async (_, one, oneVariables, other, otherVariables, executions) => {
    const { reads, store, watch } = await startCounting();
    const watches = [
      await watch(one, oneVariables, 'a'),
      await watch(other, otherVariables, '"}\\\n\u2028 雪'),
    ];
    const { prompt } = await addTask(store);
    for (const stream of watches) expect(await stream.data()).toMatchObject({ tasksUpdated: { prompt } });
    expect(reads()).toBe(executions);
  });

  test('that come to a change later are sent the kept result, as long as one of their group is there', async () => {
    const { gateway, reads, store, watch } = await startCounting();
    const first = await watch(PROMPTS, { after: 0 });
    await addTask(store);
    await first.next();
    const second = await watch(PROMPTS, { after: 0 });
    await second.next();
    expect(reads()).toBe(1);
    for (const { socket } of [first, second]) socket.terminate();
    await eventually('both are gone', () => gateway.app.stats().listeners === 0);
    await (await watch(PROMPTS, { after: 0 })).next();
    expect(reads()).toBe(2);
  });

  test('share a masked error when they receive a change together, and later ones execute it again', async () => {
    const { reads, store, watch } = await startCounting();
    const watches = [await watch(PROMPTS, { after: 0 }), await watch(PROMPTS, { after: 0 })];
    await addTask(store, { prompt: BROKEN });
    const errors = [{ message: 'Something unexpected went wrong here.', path: ['tasksUpdated', 'prompt'] }];
    for (const stream of watches) expect((await stream.next()).errors).toMatchObject(errors);
    expect(reads()).toBe(1);
    const late = await watch(PROMPTS, { after: 0 });
    expect((await late.next()).errors).toMatchObject(errors);
    expect(reads()).toBe(2);
  });

  test('receive messages of every length as one text message', async () => {
    const { store, watch } = await startCounting();
    const stream = await watch(PROMPTS, {}, '1');
    const rest = JSON.stringify({
      id: '1',
      type: 'next',
      payload: { data: { tasksUpdated: { prompt: '' } } },
    });
    // Where a WebSocket frame encodes its length in another way.
    for (const bytes of [100, 125, 126, 127, 65_535, 65_536, 300_000]) {
      const prompt = 'x'.repeat(bytes - rest.length);
      await addTask(store, { prompt });
      expect(await stream.data()).toEqual({ tasksUpdated: { prompt } });
      expect(JSON.stringify(stream.socket.messages.at(-1))).toHaveLength(bytes);
    }
  });

  test('have kept results of a bounded size, which are freed with their group', async () => {
    const { gateway, store, watch } = await startCounting();
    const bytesInUse = (): number => {
      collectGarbage();
      return process.memoryUsage().arrayBuffers;
    };
    const stream = await watch(PROMPTS);
    const before = bytesInUse();
    for (let count = 0; count < 300; count += 1) {
      await addTask(store, { prompt: 'x'.repeat(100_000) });
      await stream.next();
    }
    await eventually('most results are freed', () => bytesInUse() - before < 12_000_000);
    stream.socket.terminate();
    await eventually('the socket is gone', () => gateway.app.stats().sockets === 0);
    await eventually('all results are freed', () => bytesInUse() - before < 1_500_000);
  });
});

test.each(Object.values(schema.getSubscriptionType()?.getFields() ?? {}))(
  'what $name shows of a change depends on the change alone, so its result may be kept',
  ({ args, name, type }) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestEnd(() => void vi.useRealTimers());
    const id = args.some((arg) => arg.name === 'id') ? '(id: "some")' : '';
    const rootValue = waitingRecord({
      revision: 7,
      state: 'FAIL',
      videos: [{ url: 'https://files.example/done.mp4', expiresAt: 1 }],
      failure: { code: 'EXPIRED', providerCode: null, message: 'no final state' },
      completedAt: 1,
    });
    // What a process never changes may be read.
    const archive = { keepMs: 1, urlOf: (task: string, place: number) => `${task}/${place}` };
    const contextValue = readable('context', { tasks: readable('tasks', { archive, tasksKept: 1 }) });
    const document = parse(`subscription { ${name}${id} ${allOf(type)} }`);
    const resultAt = (now: number): string => {
      vi.setSystemTime(now);
      return JSON.stringify(execute({ schema, document, rootValue, contextValue }));
    };
    const result = resultAt(1);
    const { data, errors } = JSON.parse(result) as ExecutionResult;
    expect(errors).toBeUndefined();
    expect(data).toMatchObject({ [name]: { revision: 7, failure: { code: 'EXPIRED' } } });
    expect(resultAt(Date.UTC(2100, 1))).toBe(result);
  },
);

/** An object of which nothing else may be read. */
function readable(name: string, members: Readonly<Record<string, unknown>>): object {
  return new Proxy(members, {
    get(target, property) {
      const member = String(property);
      if (member in target) return target[member];
      throw new Error(`${member} of ${name} was read`);
    },
  });
}

function allOf(type: GraphQLOutputType): string {
  const named = getNamedType(type);
  if (!isObjectType(named)) return '';
  const fields = Object.values(named.getFields()).map((field) => `${field.name} ${allOf(field.type)}`);
  return `{ __typename ${fields.join(' ')} }`;
}
