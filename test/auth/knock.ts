import { TASKS_UPDATED } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway, type GatewayOptions } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { SseRefusedError, openSse } from '../kit/sse.ts';

/** What somebody meets at each door: the status, or whether a socket was opened or with which code it was closed. */
export interface Welcome {
  readonly http: number;
  readonly sse: number;
  readonly socket: number | 'open';
}

export const LET_IN: Welcome = { http: 200, sse: 200, socket: 'open' };
export const REFUSED: Welcome = { http: 401, sse: 401, socket: 4403 };
/** It cannot be found out who that is. */
export const LATER: Welcome = { http: 503, sse: 503, socket: 1013 };

/** A gateway that asks callers who they are, as these variables say. */
export async function startGuarded(
  env: Readonly<Record<string, string>>,
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
export function knockWith(gateway: Gateway, credential: string): Promise<Welcome> {
  return knock(gateway, `Bearer ${credential}`);
}

async function streamStatus(url: string, headers: Readonly<Record<string, string>>): Promise<number> {
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
  how: {
    readonly connectionParams?: Readonly<Record<string, unknown>>;
    readonly headers?: Readonly<Record<string, string>>;
  },
): Promise<number | 'open'> {
  const { connectionParams, headers = {} } = how;
  const socket = await openGraphqlWs(url, { init: false, headers });
  socket.send({ type: 'connection_init', payload: connectionParams });
  const opened = socket.message(({ type }) => type === 'connection_ack').then(() => 'open' as const);
  const end = await Promise.race([opened.catch(() => null), socket.closed]);
  if (end === 'open') await socket.close();
  return end === 'open' ? end : (await socket.closed).code;
}
