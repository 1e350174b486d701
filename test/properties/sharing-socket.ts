import { SignJWT } from 'jose';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { deferred, type Deferred, onTestEnd, named } from '../kit/waits.ts';
import type { GraphqlOperation } from '../kit/graphql.ts';
import { JWT_SECRET } from './isolation-doors.ts';

/** One subscription, as its client sees it. */
export interface Inbox {
  readonly id: string;
  /** The payloads of its `next` messages, as text. */
  readonly came: readonly string[];
  /** By whom it was ended; null while it lives. */
  readonly end: 'server' | 'client' | null;
}

/** A socket of one owner. Its client reads all, and takes down what no server may say. */
export interface Socket {
  readonly faults: readonly string[];
  /** `onFirst` is called when the first payload has come. */
  subscribe(id: string, operation: GraphqlOperation<unknown>, onFirst: () => void): Inbox;
  /** Completes one. What comes once the server has known it for certain is a fault. */
  leave(inbox: Inbox): Promise<void>;
  /** Fulfilled when all that the server had sent by now has come. */
  drained(): Promise<void>;
  pause(): void;
  resume(): void;
  end(how: 'close' | 'terminate'): Promise<void>;
}

interface Message {
  readonly id?: string;
  readonly type: string;
  readonly payload?: unknown;
}

interface Box extends Inbox {
  readonly came: string[];
  readonly onFirst: () => void;
  end: 'server' | 'client' | null;
}

export async function tokenOf(owner: string): Promise<string> {
  const token = await new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(owner)
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(JWT_SECRET));
  return `Bearer ${token}`;
}

/** `onMessage` is called after each message. */
export async function openSocket(url: string, owner: string, onMessage: () => void): Promise<Socket> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), 'graphql-transport-ws');
  const closed = once(socket, 'close');
  const boxes = new Map<string, Box>();
  const faults: string[] = [];
  const pongs: Deferred<void>[] = [];
  const send = (message: Message): void => {
    socket.send(JSON.stringify(message));
  };
  let isEnding = false;
  onTestEnd(() => {
    isEnding = true;
    socket.terminate();
  });

  function take(text: string): void {
    const { id, payload, type } = read(text);
    if (type === 'connection_ack') return;
    if (type === 'pong') return pongs.shift()?.resolve();
    const box = boxes.get(id ?? '');
    if (!box) return void faults.push(`nobody has the id of ${text}`);
    if (box.end === 'server') faults.push(`after its end came ${text}`);
    if (type === 'complete') box.end = 'server';
    else if (type !== 'next') faults.push(`unexpected: ${text}`);
    else if (box.came.push(JSON.stringify(payload)) === 1) box.onFirst();
  }

  function read(text: string): Message {
    try {
      return JSON.parse(text) as Message;
    } catch {
      return { type: `what is no JSON` };
    }
  }

  function drained(): Promise<void> {
    if (isEnding) return Promise.resolve();
    const pong = deferred('a pong');
    pongs.push(pong);
    send({ type: 'ping' });
    return pong.promise;
  }

  await named('the opening of a socket', once(socket, 'open'));
  const acknowledged = once(socket, 'message');
  socket.on('message', (data: Buffer) => {
    if (isEnding) return;
    take(data.toString());
    onMessage();
  });
  socket.on('error', () => undefined);
  socket.on('close', (code: number) => {
    if (!isEnding) faults.push(`the server has closed the socket with ${code}`);
    isEnding = true;
    for (const pong of pongs) pong.resolve();
    onMessage();
  });
  send({ type: 'connection_init', payload: { authorization: await tokenOf(owner) } });
  await acknowledged;

  return {
    faults,
    subscribe(id, operation, onFirst) {
      const box: Box = { id, came: [], end: null, onFirst };
      boxes.set(id, box);
      send({ id, type: 'subscribe', payload: operation });
      return box;
    },
    async leave({ id }) {
      const box = boxes.get(id);
      if (box) box.end = 'client';
      send({ id, type: 'complete' });
      await drained();
      boxes.delete(id);
    },
    drained,
    pause: socket.pause.bind(socket),
    resume: socket.resume.bind(socket),
    async end(how) {
      isEnding = true;
      socket.resume();
      if (how === 'close') socket.close(1000);
      else socket.terminate();
      await named('the closing of a socket', closed);
    },
  };
}
