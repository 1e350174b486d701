import { describe, expect, test } from 'vitest';
import { createLog } from '../../src/log/log.ts';
import { headOf, sendRaw } from '../attacks/raw-http.ts';
import { TASK_UPDATED } from '../kit/documents.ts';
import { HMAC_KEY, startGateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { createBody, credit, notVisibleYet, callbackSuccess, deliverCallback, sign } from '../kit/kie.ts';
import { openSse } from '../kit/sse.ts';
import { startWithTask } from '../webhooks/called-back.ts';
import { readScrape, type Scraped } from './scrape.ts';

type Line = Readonly<Record<string, unknown>> & { readonly msg: string };

const METRICS_TOKEN = 'token-of-the-metrics';

async function scrape(url: string): Promise<Scraped> {
  const headers = { authorization: `Bearer ${METRICS_TOKEN}` };
  return readScrape(await (await fetch(`${url}/metrics`, { headers })).text());
}

/** One task from its creation to its end, with all that was told of it. */
async function live() {
  const written: string[] = [];
  const log = createLog({ level: 'trace', pretty: false }, { write: (line) => void written.push(line) });
  const { callback, create, gateway, provider, task } = await startWithTask({ log, env: { METRICS_TOKEN } });
  provider.always('credit', credit(42));
  provider.always('recordInfo', notVisibleYet());
  const follow = { query: TASK_UPDATED, variables: { id: task.id } };
  const socket = await openGraphqlWs(gateway.graphqlUrl);
  const overSocket = socket.subscribe(follow);
  const overStream = await openSse(gateway.graphqlUrl, follow);
  await Promise.all([overSocket.next(), overStream.next()]);
  const during = await scrape(gateway.url);

  const success = callbackSuccess('kie-1');
  await deliverCallback(callback, success, sign('another-key-than-ours', 'kie-1'));
  await deliverCallback(callback.slice(0, -1), success);
  await deliverCallback(callback, success, sign(HMAC_KEY, 'kie-1'));
  for await (const result of overSocket) expect(result.data?.taskUpdated.state).toBe('SUCCESS');
  const after = await scrape(gateway.url);
  await socket.close();
  await gateway.close();
  const token = createBody(create).callBackUrl?.split('/').at(-1) ?? '';
  const secrets = [HMAC_KEY, 'test-key', METRICS_TOKEN, token];
  return { during, after, task, secrets, written };
}

test('the life of a task is told by numbers, and by lines that can be joined and hold no secret', async () => {
  const { after, during, secrets, task, written } = await live();

  const expectedDuring = {
    kineograph_sockets: 1,
    kineograph_event_streams: 1,
    kineograph_subscriptions: 2,
    kineograph_subscription_groups: 1,
    kineograph_deliveries_total: 1,
    'kineograph_tasks{state="WAITING"}': 1,
    kineograph_submissions_waiting: 0,
    kineograph_store_up: 1,
    'kineograph_provider_slots_used{calls="create"}': 1,
    'kineograph_create_calls_total{outcome="accepted",code="none"}': 1,
    kineograph_create_call_duration_seconds_count: 1,
  };
  expect(valuesOf(during, expectedDuring)).toEqual(expectedDuring);
  const expectedAfter = {
    'kineograph_callbacks_total{result="applied",status="200"}': 1,
    'kineograph_callbacks_total{result="signature",status="401"}': 1,
    'kineograph_callbacks_total{result="token",status="401"}': 1,
    'kineograph_task_changes_total{state="SUCCESS",source="CALLBACK"}': 1,
    'kineograph_tasks_ended_total{state="SUCCESS",code="none"}': 1,
    'kineograph_task_state_duration_seconds_count{state="WAITING"}': 1,
    'kineograph_task_duration_seconds_count{state="SUCCESS"}': 1,
    kineograph_store_commit_failures_total: 0,
    kineograph_subscription_groups: 0,
    kineograph_deliveries_total: 2,
    kineograph_credits_remaining: 42,
  };
  expect(valuesOf(after, expectedAfter)).toEqual(expectedAfter);
  expect(after.value('kineograph_store_commit_writes_sum')).toBeGreaterThan(2);

  const lines = written.map((line) => JSON.parse(line) as Line);
  const ofTask = lines.filter((line) => line['task'] === task.id);
  const told = ofTask.map(({ msg, ...line }) => [msg, line['outcome'] ?? line['result'] ?? line['state']]);
  expect(told.filter(([msg]) => msg !== 'the query brought nothing new')).toEqual([
    ['create requested', undefined],
    ['create call ended', 'accepted'],
    ['task changed', 'WAITING'],
    ['callback', 'signature'],
    ['task changed', 'SUCCESS'],
    ['callback', 'applied'],
  ]);
  expect(ofTask.find(({ msg }) => msg === 'create call ended')).toMatchObject({
    attempt: 1,
    providerTaskId: 'kie-1',
    ms: expect.any(Number) as number,
  });
  const routeOf = (reqId: unknown) =>
    lines.find((line) => line.msg === 'request' && line['reqId'] === reqId)?.['route'];
  const routes = ofTask.flatMap(({ reqId }) => (reqId === undefined ? [] : [routeOf(reqId)]));
  // A callback's own line says more than that of its request would.
  expect(routes).toEqual(['/graphql', undefined, undefined]);
  // What was not proven to be about a task names none.
  expect(lines.find((line) => line['result'] === 'token')).not.toHaveProperty('task');

  const [opened, closed] = lines.filter(({ msg }) => msg.startsWith('socket '));
  expect(opened).toMatchObject({ msg: 'socket opened', owner: 'anonymous' });
  const reqId = opened?.['reqId'];
  expect(closed).toMatchObject({
    msg: 'socket closed',
    reqId,
    owner: 'anonymous',
    code: 1000,
    operations: 1,
  });

  expect(secrets.filter((secret) => written.join('').includes(secret))).toEqual([]);
});

function valuesOf(scraped: Scraped, expected: Readonly<Record<string, number>>) {
  return Object.fromEntries(Object.keys(expected).map((series) => [series, scraped.value(series)]));
}

describe('/metrics', () => {
  const statusFor = async (port: number, ...lines: readonly string[]) => {
    const { body, status } = await sendRaw(port, headOf('GET /metrics', ...lines, 'Connection: close'));
    return { status, isShown: body.includes('kineograph_build_info') };
  };
  const SHOWN = { status: 200, isShown: true };
  const ELSEWHERE = [
    ['X-Forwarded-For: 127.0.0.1', 'Host: localhost'],
    ['Forwarded: for=127.0.0.1', 'Host: localhost'],
    ['Via: 1.1 proxy', 'Host: localhost'],
    ['Host: gateway.example.test'],
  ];

  test('is shown to this machine, and to nobody whom a proxy or a tunnel brings', async () => {
    const { app } = await startGateway({ env: { API_KEYS: 'ada:key-of-ada-123' } });
    expect(await statusFor(app.port, 'Host: localhost')).toEqual(SHOWN);
    for (const lines of ELSEWHERE)
      expect(await statusFor(app.port, ...lines)).toEqual({ status: 404, isShown: false });
    // A caller's key is none to the metrics.
    const asAda = ['Host: gateway.example.test', 'Authorization: Bearer key-of-ada-123'];
    expect(await statusFor(app.port, ...asAda)).toEqual({ status: 404, isShown: false });
  });

  test('is shown to whoever has METRICS_TOKEN, from wherever, and to nobody else', async () => {
    const { app } = await startGateway({ env: { METRICS_TOKEN, API_KEYS: 'ada:key-of-ada-123' } });
    for (const lines of [['Host: localhost'], ...ELSEWHERE]) {
      expect(await statusFor(app.port, ...lines)).toEqual({ status: 401, isShown: false });
      const wrong = `Authorization: Bearer ${METRICS_TOKEN}s`;
      expect(await statusFor(app.port, ...lines, wrong)).toEqual({ status: 401, isShown: false });
      expect(await statusFor(app.port, ...lines, `Authorization: Bearer ${METRICS_TOKEN}`)).toEqual(SHOWN);
    }
  });

  test.each([
    'X-Forwarded-Host: a',
    'X-Real-IP: 127.0.0.1',
    'X-Original-For: ::1',
    'CF-Ray: 1',
    'CDN-Loop: a',
  ])('is not shown to a request that something has passed on: %s', async (line) => {
    const { app } = await startGateway();
    expect(await statusFor(app.port, 'Host: localhost', line)).toEqual({ status: 404, isShown: false });
  });

  test('needs METRICS_TOKEN as soon as there are TRUSTED_PROXIES: one of them may say nothing of whom it brings', async () => {
    const env = { TRUSTED_PROXIES: '127.0.0.1' };
    const { app } = await startGateway({ env });
    expect(await statusFor(app.port, 'Host: localhost')).toEqual({ status: 404, isShown: false });
    const other = await startGateway({ env: { ...env, METRICS_TOKEN } });
    const authorization = `Authorization: Bearer ${METRICS_TOKEN}`;
    expect(await statusFor(other.app.port, 'Host: localhost', authorization)).toEqual(SHOWN);
  });

  test('is not shown to a page whose name was pointed at this machine', async () => {
    const { app } = await startGateway();
    expect(await statusFor(app.port, 'Host: rebound.example')).toEqual({ status: 421, isShown: false });
  });
});
