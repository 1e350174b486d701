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
  const API_KEYS = 'ada:key-of-ada-123';
  const TOKEN = `Authorization: Bearer ${METRICS_TOKEN}`;
  const FAR = 'Host: gateway.example.test';
  const PASSED_ON = ['X-Forwarded-For: 127.0.0.1', 'Forwarded: for=127.0.0.1', 'Via: 1.1 proxy', 'CF-Ray: 1'];
  const OTHERS = ['X-Forwarded-Host: a', 'X-Real-IP: 127.0.0.1', 'X-Original-For: ::1', 'CDN-Loop: a'];
  const ELSEWHERE = [[FAR], ...[...PASSED_ON, ...OTHERS].map((line) => ['Host: localhost', line])];

  /** The status that a request with these lines gets; metrics are shown with 200 only. */
  async function statusFor(env: Readonly<Record<string, string>>) {
    const { app } = await startGateway({ env });
    return async (...lines: readonly string[]): Promise<number> => {
      const { body, status } = await sendRaw(app.port, headOf('GET /metrics', ...lines, 'Connection: close'));
      expect(body.includes('kineograph_build_info')).toBe(status === 200);
      return status;
    };
  }

  test('is shown to this machine, and to nobody whom a proxy or a tunnel brings', async () => {
    const ask = await statusFor({ API_KEYS });
    expect(await ask('Host: localhost')).toBe(200);
    for (const lines of ELSEWHERE) expect(await ask(...lines), lines.join()).toBe(404);
    // A caller's key is none to the metrics.
    expect(await ask(FAR, 'Authorization: Bearer key-of-ada-123')).toBe(404);
  });

  test('is shown to whoever has METRICS_TOKEN, from wherever, and to nobody else', async () => {
    const ask = await statusFor({ API_KEYS, METRICS_TOKEN });
    for (const lines of [['Host: localhost'], ...ELSEWHERE])
      expect([await ask(...lines), await ask(...lines, `${TOKEN}s`), await ask(...lines, TOKEN)]).toEqual([
        401, 401, 200,
      ]);
  });

  test('needs METRICS_TOKEN with TRUSTED_PROXIES: one may say nothing of whom it brings', async () => {
    const TRUSTED_PROXIES = '127.0.0.1';
    expect(await (await statusFor({ TRUSTED_PROXIES }))('Host: localhost')).toBe(404);
    expect(await (await statusFor({ TRUSTED_PROXIES, METRICS_TOKEN }))('Host: localhost', TOKEN)).toBe(200);
  });

  test('is not shown to a page whose name was pointed at this machine', async () => {
    expect(await (await statusFor({}))('Host: rebound.example')).toBe(421);
  });
});
