import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** What the fake provider does with one request. `{}` is an empty 200. */
export interface Answer {
  /** 200 when left out. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string or Buffer is sent as it is; anything else as JSON, with its content type. */
  readonly body?: unknown;
  /** Nothing at all happens before it resolves. */
  readonly gate?: Promise<unknown>;
  /** Waits so long, after the gate. */
  readonly delayMs?: number;
  /** Closes the connection after so many bytes of the answer, counted from its status line; 0: without a word. */
  readonly cutAfterBytes?: number;
  /** The same, counted from the first byte of the body: the head has gone out whole. */
  readonly cutBodyAfterBytes?: number;
  /** Answers with a TCP reset. The request has been read by then. */
  readonly reset?: boolean;
  /** Answers with `Connection: close` and closes. */
  readonly closeAfter?: boolean;
  /** Never answers; the connection stays open until either side closes. */
  readonly hang?: boolean;
}

/** Gives the answer. Quietly does nothing when the client has gone by then. */
export async function sendAnswer(answer: Answer, response: ServerResponse): Promise<void> {
  await answer.gate;
  if (answer.delayMs !== undefined) await delay(answer.delayMs, undefined, { ref: false });

  const { socket } = response;
  if (answer.hang === true || socket === null || socket.destroyed) return;
  if (answer.reset === true) socket.resetAndDestroy();
  else if (answer.cutAfterBytes !== undefined || answer.cutBodyAfterBytes !== undefined) cut(answer, socket);
  else response.writeHead(answer.status ?? 200, headersOf(answer)).end(bodyOf(answer));
}

function cut(answer: Answer, socket: Socket): void {
  const status = answer.status ?? 200;
  const lines = Object.entries(headersOf(answer)).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`);
  const length = answer.cutAfterBytes ?? head.length + (answer.cutBodyAfterBytes ?? 0);
  socket.write(Buffer.concat([head, bodyOf(answer)]).subarray(0, length), () => socket.destroy());
}

function headersOf(answer: Answer): Record<string, string> {
  const isRaw = typeof answer.body === 'string' || Buffer.isBuffer(answer.body);
  return {
    ...(isRaw ? {} : { 'content-type': 'application/json' }),
    'content-length': String(bodyOf(answer).length),
    ...(answer.closeAfter === true ? { connection: 'close' } : {}),
    ...answer.headers,
  };
}

function bodyOf({ body }: Answer): Buffer {
  if (body === undefined) return Buffer.alloc(0);
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}
