import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { onTestEnd, named } from '../kit/waits.ts';

/** The message that begins an operation. */
export function subscribe(id: string, query: string, variables: object = {}): object {
  return { type: 'subscribe', id, payload: { query, variables } };
}

/** A socket of which a test decides each frame. `inOneGo` sends what `write` sends in one write to the connection. */
export async function openRaw(url: string) {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), 'graphql-transport-ws');
  onTestEnd(() => {
    socket.terminate();
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  // Writing to a socket that is being closed is what a flood does.
  socket.on('error', () => undefined);
  const texts: string[] = [];
  socket.on('message', (data: Buffer) => texts.push(data.toString()));
  const next = async (): Promise<string> => {
    if (texts.length === 0)
      await named('a message', new Promise((resolve) => socket.once('message', resolve)));
    return texts.shift() ?? '';
  };
  const upgraded = new Promise<IncomingMessage>((resolve) => socket.once('upgrade', resolve));
  await named('the opening of a socket', new Promise((resolve) => socket.once('open', resolve)));
  const { socket: stream } = await upgraded;
  const inOneGo = (write: () => void): void => {
    stream.cork();
    write();
    stream.uncork();
  };
  return { inOneGo, socket, closed: named('the closing of a socket', closed), messages: { next } };
}
