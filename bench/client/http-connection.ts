import { connect } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One kept-alive connection, one request at a time. */
export interface HttpConnection {
  /** `bytes` is the whole request. */
  send(bytes: Buffer): Promise<Answer>;
  end(): void;
}

/** Resolves when it stands. A client library would cost more than some of the servers. */
export function openHttp(port: number): Promise<HttpConnection> {
  return new Promise((resolve, reject) => {
    let waiting: { resolve(answer: Answer): void; reject(error: Error): void } | null = null;
    let received: Buffer[] = [];
    const fail = (error: Error): void => {
      waiting?.reject(error);
      waiting = null;
      reject(error);
    };
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk);
      const answer = readAnswer(received.length === 1 ? chunk : Buffer.concat(received));
      if (!answer) return;
      received = [];
      const { resolve: done } = waiting ?? {};
      waiting = null;
      done?.(answer);
    });
    socket.on('error', fail);
    socket.on('close', () => {
      fail(new Error('the server closed a kept-alive connection'));
    });
    socket.once('connect', () => {
      resolve({
        send: (bytes) =>
          new Promise((answered, failed) => {
            waiting = { resolve: answered, reject: failed };
            socket.write(bytes);
          }),
        end: () => socket.destroy(),
      });
    });
  });
}

/** A whole answer, or null while there is more to come. */
function readAnswer(received: Buffer): Answer | null {
  const headEnd = received.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const head = received.toString('latin1', 0, headEnd);
  const status = Number(head.slice(9, 12));
  const start = headEnd + 4;
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined) return readChunked(received, start, status);
  const end = start + Number(length);
  return received.length < end ? null : { status, body: received.toString('utf8', start, end) };
}

function readChunked(received: Buffer, start: number, status: number): Answer | null {
  const chunks: Buffer[] = [];
  let at = start;
  for (;;) {
    const lineEnd = received.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(received.toString('latin1', at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (next > received.length) return null;
    if (size === 0) return { status, body: Buffer.concat(chunks).toString() };
    chunks.push(received.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}

/** The bytes of a request with a JSON body. */
export function postRequest(
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Buffer {
  const text = JSON.stringify(body);
  const lines = [
    `POST ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Content-Type: application/json',
    'Accept: application/json',
    `Content-Length: ${Buffer.byteLength(text)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${text}`);
}
