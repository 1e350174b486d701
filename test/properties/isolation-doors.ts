import { SignJWT } from 'jose';
import { WebSocket } from 'ws';
import type { GraphqlOperation } from '../kit/graphql.ts';
import { onTestEnd, named } from '../kit/waits.ts';

export const JWT_SECRET = 'the-secret-with-which-tokens-of-these-tests-are-signed';

export type DoorName = 'HTTP' | 'SSE' | 'WebSocket';

/** One of two owners, and every byte that it ever received. */
export interface Client {
  readonly owner: string;
  /**
   * Asks one operation and returns the whole answer, headers included. Where the answer says `named`, which was part of
   * the operation, it is taken down as "NAMED".
   */
  ask(door: DoorName, operation: GraphqlOperation<unknown>, named?: string): Promise<string>;
  /** Follows until it is closed; over SSE it resolves when the stream has begun. */
  follow(door: 'SSE' | 'WebSocket', operation: GraphqlOperation<unknown>): Promise<void>;
  /** Takes down what it received in another way. */
  note(text: string): void;
  readonly received: () => string;
  close(): void;
}

export async function createClient(url: string, owner: string): Promise<Client> {
  const token = await new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(owner)
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(JWT_SECRET));
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const chunks: string[] = [];
  const note = (text: string): void => void chunks.push(text);
  const names = new Map<string, string>();
  const leaving = new AbortController();
  const socket = await openSocket(url, headers.authorization, (text, id) => {
    note(withoutName(text, names.get(id)));
  });
  onTestEnd(close);
  let lastId = 0;

  function close(): void {
    leaving.abort();
    socket.terminate();
  }

  function post(accept: string, operation: GraphqlOperation<unknown>): Promise<Response> {
    const body = JSON.stringify(operation);
    return fetch(url, { method: 'POST', headers: { ...headers, accept }, body, signal: leaving.signal });
  }

  async function overSocket(operation: GraphqlOperation<unknown>, name = ''): Promise<string> {
    const id = `op-${(lastId += 1)}-`;
    names.set(id, name);
    const answered = firstOf(socket, id);
    socket.send(JSON.stringify({ id, type: 'subscribe', payload: operation }));
    return withoutName(await answered, name);
  }

  return {
    owner,
    async ask(door, operation, name) {
      if (door === 'WebSocket') return overSocket(operation, name);
      const answer = await post(door === 'SSE' ? 'text/event-stream' : 'application/json', operation);
      const text = withoutName(`${headText(answer)}\n${await answerText(answer)}`, name);
      note(text);
      return text;
    },
    async follow(door, operation) {
      if (door === 'WebSocket') {
        socket.send(JSON.stringify({ id: `op-${(lastId += 1)}-`, type: 'subscribe', payload: operation }));
        return;
      }
      const answer = await post('text/event-stream', operation);
      note(headText(answer));
      void read(answer, note);
    },
    note,
    received: () => chunks.join('\n'),
    close,
  };
}

function withoutName(text: string, name = ''): string {
  return name === '' ? text : text.replaceAll(name, 'NAMED');
}

async function openSocket(url: string, authorization: string, onText: (text: string, id: string) => void) {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), 'graphql-transport-ws');
  socket.on('message', (data: Buffer) => {
    const text = data.toString();
    onText(text, (JSON.parse(text) as { readonly id?: string }).id ?? '');
  });
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('open', resolve));
  const acknowledged = new Promise((resolve) => socket.once('message', resolve));
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } }));
  await acknowledged;
  return socket;
}

/** The first message to an operation, without its id. */
function firstOf(socket: WebSocket, id: string): Promise<string> {
  const first = new Promise<string>((resolve) => {
    const look = (data: Buffer): void => {
      const { id: to, ...message } = JSON.parse(data.toString()) as { readonly id?: string };
      if (to !== id) return;
      socket.off('message', look);
      resolve(JSON.stringify(message));
    };
    socket.on('message', look);
  });
  return named(`an answer to operation ${id}`, first);
}

/** The whole body; of a stream no more than its first event, since one that should not be there might never end. */
async function answerText({ body }: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (/^data: .+\n\n/m.test(text)) break;
  }
  return text;
}

/** Headers that differ between any two answers. */
const UNLIKE: ReadonlySet<string> = new Set(['date', 'x-request-id']);

/** Status and headers of an answer. */
function headText({ headers, status }: Response): string {
  const lines = [...headers]
    .filter(([name]) => !UNLIKE.has(name))
    .map(([name, value]) => `${name}: ${value}`);
  return [String(status), ...lines].join('\n');
}

async function read({ body }: Response, onText: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  try {
    for await (const chunk of body ?? []) onText(decoder.decode(chunk, { stream: true }));
  } catch {
    // The client has left.
  }
}
