import { USER_AGENT } from '../../version.ts';
import type { Config } from '../../config/config.ts';
import { ownUrl } from '../../config/loopback.ts';
import { explainFailure, findingsOf, type Finding, REQUEST_MS } from './findings.ts';
import type { StoreReport } from './store-report.ts';
import { GRAPHQL_TRANSPORT_WS_PROTOCOL, MessageType, handleProtocols } from 'graphql-ws';
import { randomUUID, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { problem, sendProblem } from '../../http/problem.ts';
import { GRAPHQL_PATH } from '../../engine/yoga.ts';
import { WEBHOOKS_PATH } from '../../webhooks/route.ts';
import { parseJson, fieldsOf } from '../../providers/kie/wire.ts';
import { signatureHeaders } from '../../sandbox/callbacks.ts';
import { createCallbackAddress } from '../../tasks/callback-address.ts';
import { REFUSALS } from '../../webhooks/refusals.ts';

/** Who was found at the end of the road from PUBLIC_URL: a gateway of ours, doctor itself in place of one, or neither. */
export type FarEnd = 'gateway' | 'doctor' | 'nobody';

export interface Road {
  readonly farEnd: FarEnd;
  readonly finding: Finding;
  close(): Promise<void>;
}

type Fault = Exclude<Echo, { readonly kind: 'ours' }>;

const { failure, ok, warning } = findingsOf('public address');

/** Calls back through the public address, as kie.ai does; where no gateway runs, doctor listens in its place. */
export async function openRoad(config: Config, origin: string, store: StoreReport): Promise<Road> {
  const [hmacKey = null] = config.kieWebhookHmacKeys;
  const echo = await callBack({ origin, secret: store.callbackSecret, hmacKey });
  if (echo.kind === 'ours')
    return endingWith(
      'gateway',
      ok(`a callback through ${origin} arrived at a gateway that runs on this store`),
    );
  const here = ownUrl(config.host, config.port);
  if (echo.kind === 'another' && store.callbackSecret === null)
    return endingWith(
      'nobody',
      warning(
        `a gateway answers at ${origin}; whether it runs on this store cannot be told without the store's secret`,
        'See what is said of the store, or start the gateway once, and run doctor again.',
      ),
    );
  const isGateway = echo.kind === 'another' || echo.kind === 'troubled';
  if (isGateway) return endingWith('nobody', explain(echo, origin, here));
  const standIn = await standInFor(config, store);
  if ('obstacle' in standIn)
    return endingWith('nobody', explain(echo, origin, here, ` (${standIn.obstacle})`));
  const fault = await faultOf(origin, standIn);
  if (fault === null)
    return {
      farEnd: 'doctor',
      finding: ok(
        `no gateway runs; doctor listened on ${here} for a moment, and a callback through ${origin} arrived`,
      ),
      close: () => standIn.close(),
    };
  await standIn.close();
  return endingWith('nobody', explain(fault, origin, here));
}

function endingWith(farEnd: FarEnd, finding: Finding): Road {
  return { farEnd, finding, close: () => Promise.resolve() };
}

/** Or why there can be none. */
async function standInFor(
  { host, port }: Config,
  { isInUse }: StoreReport,
): Promise<StandIn | { readonly obstacle: string }> {
  if (isInUse) return { obstacle: 'a gateway runs on this store' };
  if (port === 0) return { obstacle: 'with PORT=0 nobody knows where the gateway will listen' };
  try {
    return await openStandIn(host, port);
  } catch (error) {
    const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    return {
      obstacle: isTaken
        ? `something listens on ${ownUrl(host, port)}`
        : `doctor cannot listen on ${ownUrl(host, port)}: ${explainFailure(error)}`,
    };
  }
}

/** What went wrong on the way to the stand-in; null when a call has arrived. */
async function faultOf(origin: string, { path, proof }: StandIn): Promise<Fault | null> {
  try {
    const answer = await fetch(origin + path, {
      method: 'POST',
      headers: { 'user-agent': USER_AGENT },
      redirect: 'manual',
      signal: AbortSignal.timeout(REQUEST_MS),
    });
    return (await answer.text()) === proof ? null : { kind: 'stranger', answer };
  } catch (error) {
    return { kind: 'silent', error };
  }
}

/** `note`: why doctor did not listen itself. */
function explain(echo: Fault, origin: string, here: string, note = ''): Finding {
  switch (echo.kind) {
    case 'another':
      return failure(
        `a gateway answers at ${origin} that does not run on this store`,
        'Run doctor with the environment of that gateway (DATA_DIR, DATABASE_URL), or point PUBLIC_URL to this one.',
      );
    case 'troubled':
      return failure(
        `a gateway answers at ${origin}, and cannot reach its store`,
        'See what its log says of the store.',
      );
    case 'silent':
      return failure(
        `${origin} cannot be reached: ${explainFailure(echo.error)}${note}`,
        `Check PUBLIC_URL, DNS, the certificate, and that what listens there passes requests on to ${here}.`,
      );
    case 'stranger':
      return failure(describe(echo.answer, origin) + note, mendOf(echo.answer, here));
  }
}

function describe({ headers, status }: Response, origin: string): string {
  const server = headers.get('server');
  const by = server === null ? '' : `, by ${server}`;
  const to = headers.get('location');
  if (to !== null)
    return `a callback to ${origin} is redirected (HTTP ${status}${by}) to ${URL.canParse(to, origin) ? new URL(to, origin).origin : to}`;
  return `a callback to ${origin} is answered with HTTP ${status}${by}, and not by this gateway`;
}

function mendOf({ headers, status }: Response, here: string): string {
  if (headers.has('location')) return 'Set PUBLIC_URL to where it leads: callbacks do not follow.';
  if (status >= 500)
    return `What listens at PUBLIC_URL does not reach ${here}: look at its log and its settings.`;
  return `Let what listens at PUBLIC_URL pass POST /webhooks/ on to ${here}, without asking who it is.`;
}

/** Listens in place of a gateway that does not run, so that the road to it can be tried. */
export interface StandIn {
  /** What is posted there is answered with `proof`, which nobody else knows. */
  readonly path: string;
  readonly proof: string;
  close(): Promise<void>;
}

const ABSENT = problem(503, 'No gateway runs here; kineograph doctor tries the road to it.', {
  hint: 'Try again when it was started.',
});

/** Rejects when the port cannot be had. */
export async function openStandIn(host: string, port: number): Promise<StandIn> {
  const path = `${WEBHOOKS_PATH}kie/doctor/${randomUUID()}`;
  const proof = randomUUID();
  const server = createServer((request, response) => {
    if (request.method === 'POST' && request.url === path) response.end(proof);
    else sendProblem(response, ABSENT, { 'retry-after': '5' });
  });
  const sockets = new WebSocketServer({ noServer: true, handleProtocols });
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    if (
      request.url === GRAPHQL_PATH &&
      request.headers['sec-websocket-protocol'] === GRAPHQL_TRANSPORT_WS_PROTOCOL
    )
      sockets.handleUpgrade(request, stream, head, (socket) => {
        socket.on('error', () => undefined);
        socket.once('message', () => {
          socket.send(JSON.stringify({ type: MessageType.ConnectionAck }));
        });
      });
    else stream.destroy();
  });
  server.listen(port, host);
  await once(server, 'listening');
  return {
    path,
    proof,
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/**
 * Who answered a callback about a task that does not exist.
 * - ours: a gateway that knows the secret of our store; `isSigned` says whether it took the signature.
 * - another: a gateway whose store has another secret, or ours is not known.
 * - troubled: a gateway that cannot reach its store.
 * - stranger: something else.
 * - silent: nobody.
 */
export type Echo =
  | { readonly kind: 'ours'; readonly isSigned: boolean }
  | { readonly kind: 'another' }
  | { readonly kind: 'troubled' }
  | { readonly kind: 'stranger'; readonly answer: Response }
  | { readonly kind: 'silent'; readonly error: unknown };

/**
 * Calls back as kie.ai does, about a task that does not exist: it changes nothing, and tells nobody more than the token of
 * no task. Only who has the secret can tell a right token from a wrong one. Never rejects.
 */
export async function callBack(options: {
  readonly origin: string;
  /** null when it is not known. */
  readonly secret: Buffer | null;
  /** Signs the call; null for a call without a signature. */
  readonly hmacKey: string | null;
}): Promise<Echo> {
  const { hmacKey, origin, secret } = options;
  const address = createCallbackAddress(secret ?? randomBytes(32), () => origin);
  const providerTaskId = `doctor-${randomUUID()}`;
  const body = { code: 200, msg: 'kineograph doctor', data: { taskId: providerTaskId, state: 'waiting' } };
  try {
    const answer = await fetch(address.urlFor(randomUUID()) ?? origin, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': USER_AGENT,
        ...(hmacKey !== null && signatureHeaders(hmacKey, providerTaskId, Date.now())),
      },
      body: JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.timeout(REQUEST_MS),
    });
    return echoIn(answer, await answer.text());
  } catch (error) {
    return { kind: 'silent', error };
  }
}

function echoIn(answer: Response, body: string): Echo {
  const detail = fieldsOf(parseJson(body))?.['detail'];
  const says = (refusal: keyof typeof REFUSALS): boolean =>
    answer.status === REFUSALS[refusal].status && detail === REFUSALS[refusal].detail;
  if (says('task')) return { kind: 'ours', isSigned: true };
  if (says('signature')) return { kind: 'ours', isSigned: false };
  if (says('token')) return { kind: 'another' };
  return says('store') ? { kind: 'troubled' } : { kind: 'stranger', answer };
}
