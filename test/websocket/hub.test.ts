import { GraphQLError, buildSchema, parse, type GraphQLSchema } from 'graphql';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Change, ChangeSink } from '../../src/websocket/group.ts';
import { createLiveCounts } from '../../src/websocket/socket.ts';
import { createHub, type SubscriptionArgs } from '../../src/websocket/hub.ts';
import { Subscriber } from '../../src/websocket/subscriber.ts';
import type { SendBudget } from '../../src/websocket/send-buffer.ts';

/** A change that counts how often a result is made of it. */
class Counted implements Change {
  readonly revision: number;
  executions = 0;

  constructor(revision: number) {
    this.revision = revision;
  }

  updated(): object {
    this.executions += 1;
    return { revision: this.revision, say: ({ word }: { readonly word: string }) => word };
  }
}

/** A change whose word cannot be had; counts how often it was asked for. */
function broken(revision: number) {
  const change = {
    revision,
    asked: 0,
    updated: () => ({
      revision,
      say: () => {
        change.asked += 1;
        throw new Error('a secret');
      },
    }),
  };
  return change;
}

const DOCUMENT = parse(
  'subscription S($after: Int, $word: String) { updated(after: $after) { revision say(word: $word) } }',
);

/** What follows a source that the test plays. */
function createStage() {
  const sinks = new Set<ChangeSink>();
  const schema = buildSchema(`
    type Query { x: Int }
    type Thing { revision: Int! say(word: String): String }
    type Subscription { updated(after: Int): Thing! }
  `);
  const source = {
    follow: (sink: ChangeSink) => {
      sinks.add(sink);
      return { resume: () => undefined, stop: () => sinks.delete(sink) };
    },
    [Symbol.asyncIterator]: () => {
      throw new Error('nobody iterates over a source that can be followed');
    },
  };
  const field = schema.getSubscriptionType()?.getFields()['updated'];
  if (!field) throw new Error('the schema has no such field');
  field.subscribe = (_root, { after }: { readonly after?: number }) => {
    if (after === -1) throw new Error('a secret');
    return source;
  };
  const hub = createHub({
    counts: createLiveCounts(),
    hideSuggestions: false,
    rightsOf: String,
    maskError: (error) =>
      new GraphQLError('masked', { path: error instanceof GraphQLError ? (error.path ?? null) : null }),
  });
  return {
    hub,
    schema,
    sinks,
    tell: (change: Change) => {
      for (const sink of [...sinks]) {
        sink.take(change);
        sink.flush();
      }
    },
  };
}

/** A way out that takes everything. */
function createRoom(send: (message: string) => void = () => undefined): SendBudget {
  return {
    hold: () => undefined,
    release: () => undefined,
    isBehind: false,
    isFull: () => false,
    onRoom: () => undefined,
    sendFrame: (frame) => {
      send(textIn(frame));
    },
  };
}

/** The payload of a short WebSocket frame. */
function textIn(frame: Buffer): string {
  return frame.toString('utf8', (frame[1] ?? 0) <= 125 ? 2 : 4);
}

/** Begins a subscription as the protocol does; returns what it sends. */
async function subscribe(
  { hub, schema }: { readonly hub: ReturnType<typeof createHub>; readonly schema: GraphQLSchema },
  args: Partial<SubscriptionArgs> = {},
) {
  const sent: string[] = [];
  const outlet = createRoom((message) => sent.push(message));
  const member = await hub.subscribe({
    schema,
    document: DOCUMENT,
    contextValue: 'ann',
    id: '1',
    outlet,
    ...args,
  });
  if (!(member instanceof Subscriber)) return { sent, member: null, result: member };
  const end = member.next();
  return { sent, member, end, result: null };
}

describe('subscriptions of a hub', () => {
  test('that can only come out the same share one execution of a change', async () => {
    const stage = createStage();
    const watches = [];
    for (const after of [1, 2, 3])
      watches.push(await subscribe(stage, { id: `${after}`, variableValues: { after, word: 'hi' } }));
    const change = new Counted(7);
    stage.tell(change);
    expect(change.executions).toBe(1);
    expect(watches.map(({ sent }) => sent)).toEqual(
      ['1', '2', '3'].map((id) => [
        `{"id":"${id}","type":"next","payload":{"data":{"updated":{"revision":7,"say":"hi"}}}}`,
      ]),
    );
  });

  test.each([
    ['variable', { variableValues: { word: 'other' } }],
    ['caller', { contextValue: 'ben' }],
    ['document', { document: parse('subscription { updated { revision } }') }],
  ])('with another %s share nothing', async (_, args) => {
    const stage = createStage();
    await subscribe(stage, { variableValues: { word: 'hi' } });
    await subscribe(stage, { variableValues: { word: 'hi' }, ...args });
    const change = new Counted(7);
    stage.tell(change);
    expect(change.executions).toBe(2);
  });

  test('that come to a change in a later turn of the event loop are sent what was made of it before', async () => {
    const stage = createStage();
    const early = await subscribe(stage);
    const late = await subscribe(stage);
    const [first, second] = stage.sinks;
    const change = new Counted(7);
    first?.take(change);
    await nextTurn();
    second?.take(change);
    expect(change.executions).toBe(1);
    expect(late.sent).toEqual(early.sent);
  });

  test('that come to a broken change share its error when they are told in one go, and have it executed anew later', async () => {
    const stage = createStage();
    await subscribe(stage);
    await subscribe(stage);
    const change = broken(7);
    stage.tell(change);
    expect(change.asked).toBe(1);
    await nextTurn();
    stage.tell(change);
    expect(change.asked).toBe(2);
  });

  test('that catch up turn by turn are told the error of none before them', async () => {
    const stage = createStage();
    for (const id of ['1', '2', '3']) await subscribe(stage, { id });
    const change = broken(7);
    for (const sink of [...stage.sinks]) {
      // As pages are delivered: the next turn is requested before the sink takes its page.
      const nextTurn = new Promise((resolve) => setImmediate(resolve));
      sink.take(change);
      await nextTurn;
    }
    expect(change.asked).toBe(3);
  });

  test('leave nothing behind for those who come when the last of them has gone', async () => {
    const stage = createStage();
    const change = new Counted(7);
    const { member } = await subscribe(stage);
    stage.tell(change);
    await member?.return();
    await subscribe(stage);
    stage.tell(change);
    expect(change.executions).toBe(2);
  });

  test('make a result anew for a change whose revision was another one’s before the results were forgotten', async () => {
    const stage = createStage();
    const { sent } = await subscribe(stage, { variableValues: { word: 'hi' } });
    const other = new Counted(7);
    stage.tell(new Counted(7));
    stage.hub.forgetResults();
    stage.tell(other);
    expect(other.executions).toBe(1);
    expect(sent).toHaveLength(2);
  });

  test('send their id as JSON, whatever it is', async () => {
    const stage = createStage();
    const id = '"}\\\n\u2028';
    const { sent } = await subscribe(stage, { id });
    stage.tell(new Counted(1));
    expect(JSON.parse(sent[0] ?? '')).toMatchObject({ id, type: 'next' });
  });

  test('send the masked errors of an execution, before its data', async () => {
    const stage = createStage();
    const { sent } = await subscribe(stage, { variableValues: { word: 'hi' } });
    stage.tell(broken(1));
    expect(sent).toEqual([
      '{"id":"1","type":"next","payload":{"errors":[{"message":"masked","path":["updated","say"]}],"data":{"updated":{"revision":1,"say":null}}}}',
    ]);
  });

  test('that are refused are told a masked error', async () => {
    const { result } = await subscribe(createStage(), { variableValues: { after: -1 } });
    expect(result?.errors?.map(({ message }) => message)).toEqual(['masked']);
  });

  test('end with their source', async () => {
    const stage = createStage();
    const { end } = await subscribe(stage);
    for (const sink of stage.sinks) sink.end();
    expect(await end).toEqual({ done: true, value: undefined });
  });

  test('fail with the masked error of their source', async () => {
    const stage = createStage();
    const { end } = await subscribe(stage);
    for (const sink of stage.sinks) sink.fail(new Error('a secret'));
    await expect(end).rejects.toThrow('masked');
  });

  test('that are ended follow nothing any more', async () => {
    const stage = createStage();
    const { end, member, sent } = await subscribe(stage);
    await member?.return();
    expect(await end).toEqual({ done: true, value: undefined });
    stage.tell(new Counted(1));
    expect(stage.sinks.size).toBe(0);
    expect(sent).toEqual([]);
  });

  test('that are ended before they began never follow anything', async () => {
    const stage = createStage();
    const outlet = createRoom();
    const member = await stage.hub.subscribe({ schema: stage.schema, document: DOCUMENT, id: '1', outlet });
    if (!(member instanceof Subscriber)) throw new Error('it was refused');
    await member.return();
    expect(await member.next()).toEqual({ done: true, value: undefined });
    expect(stage.sinks.size).toBe(0);
  });
});
