import type { JWK } from 'jose';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { createLog } from '../../src/log/log.ts';
import { TASKS_UPDATED } from '../kit/documents.ts';
import { startGateway, type Gateway, type GatewayOptions } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { sendAnswer, startFakeProvider, type Answer } from '../kit/provider.ts';
import { SseRefusedError, openSse } from '../kit/sse.ts';
import { onTestEnd } from '../kit/waits.ts';

/** What somebody meets at each door: the status, or whether a socket was opened or with which code it was closed. */
interface Welcome {
  readonly http: number;
  readonly sse: number;
  readonly socket: number | 'open';
}

export const LET_IN: Welcome = { http: 200, sse: 200, socket: 'open' };
export const REFUSED: Welcome = { http: 401, sse: 401, socket: 4403 };
/** It cannot be found out who that is. */
export const LATER: Welcome = { http: 503, sse: 503, socket: 1013 };

type Env = Readonly<Record<string, string>>;

/** A gateway that asks callers who they are, as these variables say. */
export async function startGuarded(
  env: Env,
  options: Omit<GatewayOptions, 'env' | 'provider'> = {},
): Promise<Gateway> {
  return startGateway({ ...options, env, provider: await startFakeProvider() });
}

/** Tries every door with this value of Authorization; with none when it is undefined. */
export async function knock(
  { graphqlUrl }: Pick<Gateway, 'graphqlUrl'>,
  authorization?: string,
): Promise<Welcome> {
  const headers = authorization === undefined ? {} : { authorization };
  return {
    http: (await graphql(graphqlUrl, '{ __typename }', {}, headers)).status,
    sse: await streamStatus(graphqlUrl, headers),
    socket: await socketEnd(graphqlUrl, { connectionParams: headers }),
  };
}

/** The same with a token or key. */
export function knockWith(gateway: Pick<Gateway, 'graphqlUrl'>, credential: string): Promise<Welcome> {
  return knock(gateway, `Bearer ${credential}`);
}

/** The status over HTTP alone: all doors ask the same function, which tests with `knock` prove. */
export async function statusWith({ graphqlUrl }: Gateway, credential: string): Promise<number> {
  return (await graphql(graphqlUrl, '{ __typename }', {}, { authorization: `Bearer ${credential}` })).status;
}

async function streamStatus(url: string, headers: Env): Promise<number> {
  try {
    const stream = await openSse(url, { query: TASKS_UPDATED }, { headers });
    stream.close();
    return 200;
  } catch (error) {
    if (error instanceof SseRefusedError) return error.status;
    throw error;
  }
}

/** What becomes of a socket after its connection_init: `open`, or the code with which it is closed. */
export async function socketEnd(
  url: string,
  how: { readonly connectionParams?: Readonly<Record<string, unknown>> | undefined; readonly headers?: Env },
): Promise<number | 'open'> {
  const { connectionParams, headers = {} } = how;
  const socket = await openGraphqlWs(url, { init: false, headers });
  socket.send({ type: 'connection_init', payload: connectionParams });
  const opened = socket.message(({ type }) => type === 'connection_ack').then(() => 'open' as const);
  const end = await Promise.race([opened.catch(() => null), socket.closed]);
  if (end === 'open') await socket.close();
  return end === 'open' ? end : (await socket.closed).code;
}

/** A log, and every line that was written to it. */
export function createLines(level = 'warn'): { readonly lines: readonly string[]; readonly log: Logger } {
  const lines: string[] = [];
  return { lines, log: createLog({ level, pretty: false }, { write: (line) => void lines.push(line) }) };
}

export type Issuer = Awaited<ReturnType<typeof startIssuer>>;

/** Publishes keys over real HTTP, as the issuer of tokens does; on this `port` if another one was closed there. */
export async function startIssuer(keys: readonly { readonly jwk: JWK }[], { port = 0 } = {}) {
  let requests = 0;
  let answer = answerWith(keys);
  const server = createServer((_request, response) => {
    requests += 1;
    void sendAnswer(answer, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });

  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => {
        resolve();
      });
      server.closeAllConnections();
    });
  onTestEnd(close);
  const taken = (server.address() as AddressInfo).port;
  return {
    jwksUrl: `http://127.0.0.1:${taken}/.well-known/jwks.json`,
    port: taken,
    /** How often its keys were asked for. */
    requests: () => requests,
    /** The keys that it has from now on: also how it rotates and withdraws them, and recovers from `answer`. */
    publish: (...others: readonly { readonly jwk: JWK }[]) => {
      answer = answerWith(others);
    },
    /** What it says from now on in place of its keys. */
    answer: (other: Answer) => {
      answer = other;
    },
    close,
  };
}

function answerWith(keys: readonly { readonly jwk: JWK }[]): Answer {
  return { body: { keys: keys.map(({ jwk }) => jwk) }, closeAfter: true };
}
