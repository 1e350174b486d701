import { openGraphqlWs, type GraphqlWsClient, type GraphqlWsMessage } from '../kit/graphql-ws.ts';
import type { GraphqlOperation } from '../kit/graphql.ts';
import { authorizationOf, type Who } from './two-owners.ts';

/** Each owner has two sockets that are always read, and one that is not always read. */
export type SocketName = 'first' | 'second' | 'slow';

/** One subscription, as its client sees it. */
export interface Inbox {
  readonly id: string;
  /** The payloads of its `next` messages, as text. */
  readonly came: string[];
  readonly onFirst: () => void;
  /** By whom it was ended; null while it lives. */
  end: 'server' | 'client' | null;
}

/** A socket of one owner, and how its client has treated it. */
export interface Line {
  readonly client: GraphqlWsClient;
  readonly inboxes: Map<string, Inbox>;
  /** The ids of subscriptions that had begun, and have left. */
  readonly free: string[];
  isPaused: boolean;
  wasPaused: boolean;
  isGone: boolean;
}

export type Lines = ReturnType<typeof createLines>;

/** The sockets of two owners, each opened when it is first used. `onMessage` is called after each message. */
export function createLines(url: string, owners: Readonly<Record<Who, string>>, onMessage: () => void) {
  const lines = new Map<string, Line>();
  /** What no server may say. */
  const faults: string[] = [];

  async function get(who: Who, name: SocketName): Promise<Line> {
    const known = lines.get(who + name);
    if (known) return known;
    const inboxes = new Map<string, Inbox>();
    let opened: Line | null = null;
    const client = await openGraphqlWs(url, {
      connectionParams: { authorization: await authorizationOf(owners[who]) },
      onText(text) {
        // The acknowledgement comes before the line is there.
        if (opened?.isGone) return;
        faults.push(...faultOf(inboxes, JSON.parse(text) as GraphqlWsMessage));
        onMessage();
      },
    });
    const line: Line = { client, inboxes, free: [], isPaused: false, wasPaused: false, isGone: false };
    opened = line;
    void client.closed.then(({ code }) => {
      if (!line.isGone) faults.push(`the server has closed the socket with ${code}`);
      line.isGone = true;
      onMessage();
    });
    lines.set(who + name, line);
    return line;
  }

  async function hangUp(who: Who, name: SocketName, how: 'close' | 'terminate'): Promise<void> {
    const line = lines.get(who + name);
    if (!line) return;
    lines.delete(who + name);
    line.isGone = true;
    if (how === 'close') await line.client.close();
    else line.client.terminate();
    await line.client.closed;
  }

  return {
    get,
    /** Ends a socket; the next one of its name is a new one. */
    hangUp,
    faults,
    /** The owner's slow socket reads nothing more. */
    async pause(who: Who): Promise<void> {
      const line = await get(who, 'slow');
      line.isPaused = line.wasPaused = true;
      line.client.pause();
    },
    resume(who: Who): void {
      const line = lines.get(`${who}slow`);
      if (!line) return;
      line.isPaused = false;
      line.client.resume();
    },
    /** Fulfilled when all that was sent by now over any of them has come. */
    drained: () => Promise.all([...lines.values()].map(drained)),
    async end(): Promise<void> {
      for (const who of ['a', 'b'] as const)
        for (const name of ['first', 'second', 'slow'] as const) await hangUp(who, name, 'terminate');
    },
  };
}

/** Takes a message down, and says what is wrong with it. */
function faultOf(inboxes: ReadonlyMap<string, Inbox>, message: GraphqlWsMessage): string[] {
  const { id, payload, type } = message;
  if (type === 'connection_ack' || type === 'pong') return [];
  const text = JSON.stringify(message);
  const inbox = inboxes.get(id ?? '');
  if (!inbox) return [`nobody has the id of ${text}`];
  if (inbox.end === 'server') return [`after its end came ${text}`];
  if (type === 'complete') inbox.end = 'server';
  else if (type !== 'next') return [`unexpected: ${text}`];
  else if (inbox.came.push(JSON.stringify(payload)) === 1) inbox.onFirst();
  return [];
}

/** Fulfilled when all that the server had sent by now has come, or its socket is closed. */
export async function drained({ client, isGone }: Line): Promise<void> {
  if (isGone) return;
  client.send({ type: 'ping' });
  await client.message(({ type }) => type === 'pong').catch(() => undefined);
}

/** `onFirst` is called when the first payload has come. */
export function subscribe(
  { client, inboxes }: Line,
  id: string,
  { onFirst, operation }: { readonly operation: GraphqlOperation<unknown>; readonly onFirst: () => void },
): Inbox {
  const inbox: Inbox = { id, came: [], end: null, onFirst };
  inboxes.set(id, inbox);
  client.send({ id, type: 'subscribe', payload: operation });
  return inbox;
}

/** Completes one. What comes once the server has known it for certain is a fault. */
export async function leave(line: Line, { id }: Inbox): Promise<void> {
  const inbox = line.inboxes.get(id);
  if (inbox) inbox.end = 'client';
  line.client.send({ id, type: 'complete' });
  await drained(line);
  line.inboxes.delete(id);
}
