import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { onTestEnd, named } from '../kit/waits.ts';

/** What a server wrote before it closed the connection. */
export interface RawAnswer {
  /** NaN when it wrote nothing. */
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Sends bytes that no client library would send, and waits until the server closes. */
export async function sendRaw(port: number, text: string): Promise<RawAnswer> {
  const socket = connect(port, '127.0.0.1');
  const answer = closing(socket);
  socket.write(text);
  return answer;
}

/** Sends a request when the one before it is answered, over one connection, and returns the statuses of both. */
export async function sendInTwo(port: number, first: string, last: string): Promise<number[]> {
  const socket = connect(port, '127.0.0.1');
  const answer = closing(socket);
  socket.once('data', () => socket.write(last));
  socket.write(first);
  const { body, head } = await answer;
  return [...`${head}\r\n\r\n${body}`.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status));
}

/** The head of a request with these lines, of which a `Host` is to be one. */
export function headOf(start: string, ...lines: readonly string[]): string {
  return `${[`${start} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n`;
}

/** A whole post of JSON, after which the server is to close. */
export function postOf(target: string, json: string, ...lines: readonly string[]): string {
  const length = `Content-Length: ${Buffer.byteLength(json)}`;
  return (
    headOf(`POST ${target}`, ...lines, 'Content-Type: application/json', 'Connection: close', length) + json
  );
}

function closing(socket: Socket): Promise<RawAnswer> {
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
  // A connection may end with a reset.
  socket.on('error', () => undefined);
  onTestEnd(() => {
    socket.destroy();
  });
  const closed = new Promise<RawAnswer>((resolve) => {
    socket.once('close', () => {
      const [head = '', ...body] = received.split('\r\n\r\n');
      resolve({ status: Number(head.split(' ')[1]), head, body: body.join('\r\n\r\n') });
    });
  });
  return named('a connection to be closed', closed);
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
