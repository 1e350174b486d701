import { CloseCode, GRAPHQL_TRANSPORT_WS_PROTOCOL, MessageType } from 'graphql-ws';
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { isOpen, type Config } from '../../config/config.ts';
import { ownUrl } from '../../config/loopback.ts';
import { GRAPHQL_PATH } from '../../engine/yoga.ts';
import { parseJson, fieldsOf } from '../../providers/kie/wire.ts';
import { webhookPath } from '../../webhooks/route.ts';
import { createSignedAddress } from '../../tasks/signed-address.ts';
import { USER_AGENT } from '../../version.ts';
import { REFUSALS } from '../../webhooks/refusals.ts';
import { codeOf, explainFailure, findingsOf, type Finding, REQUEST_MS } from './findings.ts';
import type { StoreReport } from './findings.ts';

/** Refusals by which a gateway can be recognised. */
const KNOWN = ['task', 'signature', 'token', 'tooManyWrong', 'store'] as const;

/** How a callback was answered: `refusal` is null unless a gateway refused it. */
type Echo =
  | { readonly refusal: (typeof KNOWN)[number] | null; readonly answer: Response }
  | { readonly refusal: null; readonly answer: null; readonly error: unknown };

/** The way from PUBLIC_URL to the gateway: callbacks, WebSockets, and signatures. */
export async function checkPublicUrl(config: Config, store: StoreReport): Promise<readonly Finding[]> {
  const { kieApiKey, kieWebhookHmacKeys: keys, publicUrl } = config;
  const skip = (why: string, ...checks: readonly string[]): readonly Finding[] =>
    checks.map((check) => findingsOf(check).skipped(why));
  if (publicUrl === null) {
    const isSandbox = kieApiKey === null;
    const why = isSandbox
      ? 'the sandbox calls back on this machine'
      : 'PUBLIC_URL is not set: nobody calls back';
    return skip(why, 'public address', 'WebSocket', 'signatures');
  }
  const [firstKey = null, ...otherKeys] = keys;
  const call = (hmacKey: string | null): Promise<Echo> => callBack(publicUrl, hmacKey, store.callbackSecret);
  const echoes = await Promise.all([call(firstKey), ...otherKeys.map(call)]);
  const ours = echoes.find(({ refusal }) => refusal === 'task' || refusal === 'signature');
  const address = await aboutAddress(config, publicUrl, ours ?? echoes[0], store);
  if (!ours)
    return [
      address,
      ...skip('not tried: PUBLIC_URL leads to no gateway on this store', 'WebSocket', 'signatures'),
    ];
  return [address, await checkWebsocket(publicUrl, !isOpen(config)), aboutSignatures(config, echoes)];
}

/**
 * Calls back as kie.ai does, about a task that does not exist, so that nothing changes. Its token is right for a gateway
 * on our store alone. Never rejects.
 */
async function callBack(origin: string, hmacKey: string | null, secret: Buffer | null): Promise<Echo> {
  const address = createSignedAddress(
    secret ?? randomBytes(32),
    () => origin,
    (taskId, token) => webhookPath('kie', taskId, token),
  );
  const taskId = `doctor-${randomUUID()}`;
  try {
    const answer = await fetch(address.urlFor(randomUUID()) ?? origin, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': USER_AGENT,
        ...(hmacKey !== null && sign(hmacKey, taskId)),
      },
      body: JSON.stringify({ code: 200, msg: 'kineograph doctor', data: { taskId, state: 'waiting' } }),
      redirect: 'manual',
      signal: AbortSignal.timeout(REQUEST_MS),
    });
    const code = fieldsOf(parseJson(await answer.text()))?.['code'];
    return { refusal: KNOWN.find((name) => REFUSALS[name].code === code) ?? null, answer };
  } catch (error) {
    return { refusal: null, answer: null, error };
  }
}

function sign(hmacKey: string, taskId: string): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const signature = createHmac('sha256', hmacKey).update(`${taskId}.${timestamp}`).digest('base64');
  return { 'x-webhook-timestamp': timestamp, 'x-webhook-signature': signature };
}

async function aboutAddress(
  { host, port }: Config,
  origin: string,
  echo: Echo,
  store: StoreReport,
): Promise<Finding> {
  const { failure, ok, warning } = findingsOf('public address');
  switch (echo.refusal) {
    case 'task':
    case 'signature':
      return ok(`a callback through ${origin} arrived at a gateway that runs on this store`);
    case 'token':
      if (store.callbackSecret === null)
        return warning(
          `a gateway answers at ${origin}; whether it runs on this store is unknown without the store's secret`,
          'Fix what is said of the store, or start the gateway once, and run doctor again.',
        );
      return failure(
        `a gateway answers at ${origin} that does not run on this store`,
        'Run doctor with the environment of that gateway (DATA_DIR, DATABASE_URL), or point PUBLIC_URL to this one.',
      );
    case 'tooManyWrong':
      return warning(
        `a gateway answers at ${origin}, and refuses wrong tokens and signatures of this address for now`,
        'Wait for a minute, and run doctor again with the environment of that gateway (DATA_DIR, DATABASE_URL, KIE_WEBHOOK_HMAC_KEYS).',
      );
    case 'store':
      return failure(`a gateway answers at ${origin}, and cannot reach its store`, 'See its log.');
    case null:
  }
  const here = ownUrl(host, port);
  const isRunning =
    store.isInUse || (port !== 0 && (await callBack(here, null, store.callbackSecret)).refusal !== null);
  // A proxy, or the system, says that nothing listens behind it.
  const isAbsence =
    echo.answer === null
      ? codeOf(echo.error) === 'ECONNREFUSED'
      : [502, 503, 504].includes(echo.answer.status);
  if (!isRunning && isAbsence)
    return warning(`no gateway runs here, and none answers at ${origin}`, 'Start it, and run doctor again.');
  const note = isRunning ? ' (a gateway runs here)' : '';
  if (echo.answer === null)
    return failure(
      `${origin} cannot be reached: ${explainFailure(echo.error)}${note}`,
      `Check PUBLIC_URL, DNS, the certificate, and that what listens there passes requests on to ${here}.`,
    );
  const { headers, status } = echo.answer;
  const server = headers.get('server');
  const how = `HTTP ${status}${server === null ? '' : `, by ${server}`}`;
  const to = headers.get('location');
  if (to !== null)
    return failure(
      `a callback to ${origin} is redirected (${how}) to ${URL.canParse(to, origin) ? new URL(to, origin).origin : to}${note}`,
      'Set PUBLIC_URL to where it leads: callbacks do not follow.',
    );
  return failure(
    `a callback to ${origin} is answered with ${how}, and not by this gateway${note}`,
    status >= 500
      ? `What listens at PUBLIC_URL does not reach ${here}: look at its log and its settings.`
      : `Let what listens at PUBLIC_URL pass POST /webhooks/ on to ${here}, without asking for credentials.`,
  );
}

/** Whether the running gateway accepts callbacks signed with each of the keys; unsigned ones where there is no key. */
function aboutSignatures({ kieApiKey, kieWebhookHmacKeys: keys }: Config, echoes: readonly Echo[]): Finding {
  const { failure, ok, skipped, warning } = findingsOf('signatures');
  const refused = echoes.flatMap(({ refusal }, index) => (refusal === 'task' ? [] : [index + 1]));
  if (keys.length > 0 && refused.length > 0)
    return failure(
      `the running gateway rejects what key ${refused.join(', ')} of KIE_WEBHOOK_HMAC_KEYS signs`,
      'Restart it with these settings. If it has them, check the clocks of both machines.',
    );
  if (keys.length > 0)
    return ok(
      `callbacks signed with ${keys.length === 1 ? 'the key' : `each of ${keys.length} keys`} are accepted`,
    );
  if (kieApiKey === null) return skipped('the sandbox signs with a key that it makes at each start');
  if (refused.length === 0) return skipped('KIE_WEBHOOK_HMAC_KEYS is not set: callbacks are hints only');
  return warning(
    'the running gateway asks for signatures, and KIE_WEBHOOK_HMAC_KEYS is not set here',
    'Run doctor with the environment of the gateway.',
  );
}

/** Whether a socket through the public address is acknowledged, or asked for credentials. None are sent. */
async function checkWebsocket(origin: string, asksForCredentials: boolean): Promise<Finding> {
  const { ok, warning } = findingsOf('WebSocket');
  const url = origin.replace(/^http/, 'ws') + GRAPHQL_PATH;
  const restart = 'Was the gateway started with other settings? Restart it with these.';
  try {
    const [first, reason] = await greet(url);
    const isRejected = first === CloseCode.Forbidden;
    if (typeof first === 'number' && !isRejected)
      return warning(
        `a socket to ${url} is closed with ${first} ${String(reason)}`.trimEnd(),
        'docs/errors.md says what the code means.',
      );
    if (isRejected && !asksForCredentials)
      return warning(`a socket to ${url} is asked for credentials, and none are configured here`, restart);
    if (!isRejected && asksForCredentials)
      return warning(`a socket to ${url} is accepted without credentials`, restart);
    return ok(
      `a socket to ${url} ${isRejected ? 'arrives, and is asked for credentials' : 'is acknowledged'}`,
    );
  } catch (error) {
    return warning(
      `your proxy does not pass WebSockets on: ${url}: ${explainFailure(error)}`,
      'Let it pass the headers Upgrade, Connection and Sec-WebSocket-Protocol on at /graphql, and keep the connection. Where it passes /webhooks/ alone on purpose, this is fine.',
    );
  }
}

/** The first message, or the code and the reason with which the socket is closed. */
async function greet(url: string): Promise<readonly [unknown, unknown?]> {
  const signal = AbortSignal.timeout(REQUEST_MS);
  const socket = new WebSocket(url, GRAPHQL_TRANSPORT_WS_PROTOCOL, { headers: { 'user-agent': USER_AGENT } });
  socket.on('error', () => undefined);
  try {
    await once(socket, 'open', { signal });
    socket.send(JSON.stringify({ type: MessageType.ConnectionInit }));
    const first = ['message', 'close'].map((event) => once(socket, event, { signal }));
    return (await Promise.race(first)) as [unknown, unknown?];
  } finally {
    socket.terminate();
  }
}
