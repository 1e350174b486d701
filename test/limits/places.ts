import { request } from 'node:http';
import { GraphqlWsClosedError, openGraphqlWs } from '../kit/graphql-ws.ts';
import { onTestEnd, named } from '../kit/waits.ts';
import { SseRefusedError, openSse } from '../kit/sse.ts';
import { bearer, type Owner } from './asking.ts';

/** A socket or a stream that is open. */
export interface Place {
  leave(): Promise<unknown>;
}

/** A way to take one of the places that are counted; rejects when there is none. */
export interface PlaceDoor {
  readonly name: string;
  open(url: string, owner?: Owner, forwardedFor?: string): Promise<Place>;
}

const STREAM = { query: 'subscription { tasksUpdated { id } }' };

const webSocket: PlaceDoor = {
  name: 'WebSocket',
  async open(url, owner, forwardedFor) {
    const connectionParams = owner ? bearer(owner) : {};
    const socket = await openGraphqlWs(url, { connectionParams, headers: forwarded(forwardedFor) });
    return { leave: () => socket.close() };
  },
};

const sse: PlaceDoor = {
  name: 'SSE',
  async open(url, owner, forwardedFor) {
    const headers = { ...(owner && bearer(owner)), ...forwarded(forwardedFor) };
    const stream = await openSse(url, STREAM, { headers });
    if (stream.status !== 200) throw new SseRefusedError(stream.status, JSON.stringify(await stream.next()));
    const leave = (): Promise<void> => {
      stream.close();
      return Promise.resolve();
    };
    return { leave };
  },
};

export const PLACE_DOORS: readonly PlaceDoor[] = [webSocket, sse];

function forwarded(address?: string): Record<string, string> {
  return address === undefined ? {} : { 'x-forwarded-for': address };
}

/** How taking a place is refused: null when it is not. */
export async function refusalOf(opening: Promise<Place>): Promise<unknown> {
  try {
    await opening;
    return null;
  } catch (error) {
    if (error instanceof GraphqlWsClosedError) return { code: error.code, reason: error.reason };
    if (error instanceof SseRefusedError) return { status: error.status, body: error.body };
    if (error instanceof Error) return error.message;
    throw error;
  }
}

/** Takes a place as soon as one is free: the gateway learns of a client's leaving when it does. */
export async function whenFree(door: PlaceDoor, ...where: Parameters<PlaceDoor['open']>): Promise<Place> {
  return named(`a free place over ${door.name}`, take());

  async function take(): Promise<Place> {
    for (;;) {
      try {
        return await door.open(...where);
      } catch {
        // Still taken.
      }
    }
  }
}

/** Asks for a WebSocket and returns the answer with which it is refused. */
export function refusedUpgrade(url: string) {
  return new Promise<{ status: number | undefined; retryAfter: unknown; type: unknown; body: unknown }>(
    (resolve, reject) => {
      const headers = {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': Buffer.alloc(16).toString('base64'),
      };
      const asking = request(url, { headers }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        answer.on('end', () => {
          const { 'content-type': type, 'retry-after': retryAfter } = answer.headers;
          resolve({ status: answer.statusCode, retryAfter, type, body: JSON.parse(text) as unknown });
        });
      });
      asking.on('upgrade', () => {
        reject(new Error('The socket was opened'));
      });
      asking.on('error', reject).end();
      onTestEnd(() => void asking.destroy());
    },
  );
}
