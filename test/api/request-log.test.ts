import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { readBody } from '../../src/http/body.ts';
import { createRequestLog } from '../../src/http/request-log.ts';
import { createRouter, type Handler, type Route } from '../../src/http/router.ts';
import { refusal } from '../../src/limits/refusal.ts';
import { createLog } from '../../src/log/log.ts';
import { headOf } from '../attacks/raw-http.ts';
import { startGateway } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { createQueue, onTestEnd } from '../kit/waits.ts';

type Line = Readonly<Record<string, unknown>>;

const authorization = 'Bearer key-of-ada';

/** A logger, and what it writes about requests. */
function recordLines(level = 'info') {
  const lines = createQueue<Line>('a line of the log');
  const write = (text: string): void => {
    const line = JSON.parse(text) as Line;
    if (line['msg'] === 'request' || line['level'] === 'error') lines.push(line);
  };
  return { lines, log: createLog({ level, pretty: false }, { write }) };
}

async function startLogged(env: Readonly<Record<string, string>> = {}, level = 'info') {
  const { lines, log } = recordLines(level);
  return { ...(await startGateway({ log, env: { API_KEYS: 'ada:key-of-ada', ...env } })), lines };
}

test('the line of a request names its sender and its operation, cut to 200 characters; a refused one names no owner', async () => {
  const { graphqlUrl, lines } = await startLogged();
  await graphql(graphqlUrl, `query ${'Long'.repeat(1000)} { __typename }`, {}, { authorization });
  expect(await lines.take()).toMatchObject({
    level: 'info',
    method: 'POST',
    route: '/graphql',
    status: 200,
    address: '127.0.0.1',
    owner: 'ada',
    operation: `${'Long'.repeat(50)}…`,
  });
  await graphql(graphqlUrl, '{ __typename }', {}, { authorization: 'Bearer somebody-elses-key' });
  const line = await lines.take();
  expect(line).toMatchObject({ status: 401, address: '127.0.0.1' });
  expect(line).not.toHaveProperty('owner');
});

test('probes are logged at debug', async () => {
  const { lines, url } = await startLogged({}, 'debug');
  for (const [route, level] of [
    ['/health', 'debug'],
    ['/ready', 'debug'],
    ['/metrics', 'debug'],
    ['none', 'info'],
  ] as const) {
    await (await fetch(`${url}/${route.replace('/', '')}`)).text();
    expect(await lines.take()).toMatchObject({ route, level });
  }
});

test('a response has the request id of the log, which only a trusted proxy may choose', async () => {
  const behindProxy = await startLogged({ TRUSTED_PROXIES: '127.0.0.1' });
  const direct = await startLogged();
  for (const [{ lines, url }, id, expected] of [
    [behindProxy, 'edge-4711', /^edge-4711$/],
    [behindProxy, 'not "fit" for a log', /^req-/],
    [behindProxy, 'x'.repeat(129), /^req-/],
    [direct, 'edge-4711', /^req-/],
  ] as const)
    for (const path of ['/nowhere', '/graphql']) {
      const { headers } = await fetch(url + path, { method: 'POST', headers: { 'x-request-id': id } });
      expect(headers.get('x-request-id')).toMatch(expected);
      expect(headers.get('x-request-id')).toBe((await lines.take())['reqId']);
    }
});

/** A server with one route, `/direct`, and a gate that refuses requests with `X-Shut`. */
async function serve(handle: Handler, options: Pick<Route, 'writesLine' | 'skipsGate'> = {}) {
  const { lines, log } = recordLines();
  const router = createRouter({
    log,
    requests: createRequestLog(log, () => '127.0.0.1'),
    nextId: () => 'req-7',
    gate: {
      refusalOf: ({ headers }) => (headers['x-shut'] === undefined ? null : refusal(403, 'No.', 'Go.')),
    },
    allowOrigin: () => undefined,
  });
  router.add({ name: '/direct', handle, ...options });
  const server = createServer((request, response) => {
    router.handle(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  /** Sends half of a request and leaves. */
  const abandon = (method: string): void => {
    const socket = connect(port, '127.0.0.1');
    const head = headOf(`${method} /direct`, 'Host: x', 'Content-Length: 10');
    socket.on('error', () => undefined).write(`${head}half`, () => socket.destroy());
  };
  return { abandon, lines, router, url: `http://127.0.0.1:${port}` };
}

const read: Handler = async (request, response) => {
  await readBody(request, 100);
  response.writeHead(204).end();
};

test('each request has one line, also if the gate refuses it, nothing handles it, or its sender leaves', async () => {
  const { abandon, lines, url } = await serve(read);
  const shut = { headers: { 'x-shut': 'yes' } };
  for (const [path, init, route, status] of [
    ['/direct', {}, '/direct', 204],
    ['/other', {}, 'none', 404],
    ['/direct', shut, 'none', 403],
  ] as const) {
    expect((await fetch(url + path, init)).status).toBe(status);
    expect(await lines.take()).toMatchObject({
      msg: 'request',
      reqId: 'req-7',
      method: 'GET',
      route,
      status,
    });
  }
  abandon('PUT');
  expect(await lines.take()).toMatchObject({ msg: 'request', method: 'PUT' });
});

test('a route that writes its own lines gets one only for requests that it does not answer, and may skip the gate', async () => {
  const { abandon, lines, router, url } = await serve(read, { writesLine: true, skipsGate: true });
  const shut = { headers: { 'x-shut': 'yes' } };
  expect((await fetch(`${url}/direct`, shut)).status).toBe(204);
  abandon('PUT');
  expect(await lines.take()).toMatchObject({ msg: 'request', method: 'PUT' });
  router.close();
  const answer = await fetch(`${url}/direct`);
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
  expect(await answer.json()).toMatchObject({ status: 503, hint: 'Send the request again in 5 s.' });
});

test('the log has the reason of an unexpected failure, and the client does not', async () => {
  const { lines, url } = await serve(() => Promise.reject(new Error('the reason')));
  const answer = await fetch(`${url}/direct`);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([500, 'application/problem+json']);
  expect(await answer.text()).not.toContain('the reason');
  expect(await lines.take()).toMatchObject({
    level: 'error',
    reqId: 'req-7',
    err: { message: 'the reason' },
  });
});
