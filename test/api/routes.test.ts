import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { createLog } from '../../src/log/log.ts';
import { readBody } from '../../src/http/body.ts';
import { createRouter, type Handler, type Route } from '../../src/http/router.ts';
import { refusal } from '../../src/limits/refusal.ts';
import type { Gate } from '../../src/http/gate.ts';
import { createRequestLog } from '../../src/http/request-log.ts';
import { headOf } from '../attacks/raw-http.ts';
import { onTestEnd, createQueue } from '../kit/waits.ts';

type Line = Readonly<Record<string, unknown>>;

const gate: Pick<Gate, 'refusalOf'> = {
  refusalOf: ({ headers }) => (headers['x-shut'] === undefined ? null : refusal(421, 'No.', 'Go.')),
};

/** A server with one route, `/direct`, and a gate that refuses requests with `X-Shut`. */
async function serve(handle: Handler, options: Pick<Route, 'writesLine' | 'skipsGate'> = {}) {
  const lines = createQueue<Line>('a line of the log');
  const log = createLog(
    { level: 'info', pretty: false },
    {
      write: (line) => {
        lines.push(JSON.parse(line) as Line);
      },
    },
  );
  const requests = createRequestLog(log, () => '127.0.0.1');
  const router = createRouter({
    log,
    requests,
    nextId: () => 'req-7',
    gate,
    allowOrigin: () => undefined,
  });
  router.add({ name: '/direct', handle, ...options });
  const server = createServer((request, response) => {
    router.handle(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestEnd(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  const { port } = server.address() as AddressInfo;
  return { lines, port, router, url: `http://127.0.0.1:${port}` };
}

const greet: Handler = (_request, response) => {
  response.end('hello');
  return Promise.resolve();
};

test('a route answers with one line in the log', async () => {
  const { lines, url } = await serve(greet);
  const answer = await fetch(`${url}/direct`);
  expect(await answer.text()).toBe('hello');
  const told = { msg: 'request', reqId: 'req-7', method: 'GET', route: '/direct', status: 200 };
  expect(await lines.take()).toMatchObject(told);
});

test('what fits no route is not found, and everything is refused once the router is closed', async () => {
  const { router, url } = await serve(greet);
  expect((await fetch(`${url}/other`)).status).toBe(404);
  router.close();
  for (const path of ['/direct', '/other']) {
    const answer = await fetch(url + path);
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await answer.json()).toMatchObject({ status: 503, hint: 'Send the request again in 5 s.' });
  }
});

test('what the gate refuses reaches no route, except one before the gate, and has its line in the log', async () => {
  const headers = { 'x-shut': 'yes' };
  const { lines, url } = await serve(greet);
  expect((await fetch(`${url}/direct`, { headers })).status).toBe(421);
  expect(await lines.take()).toMatchObject({ msg: 'request', reqId: 'req-7', route: 'none', status: 421 });
  const before = await serve(greet, { skipsGate: true });
  expect((await fetch(`${before.url}/direct`, { headers })).status).toBe(200);
  expect((await fetch(`${before.url}/other`, { headers })).status).toBe(421);
});

test('what fails unexpectedly is told in the log, and to the client only that it did', async () => {
  const { lines, url } = await serve(() => Promise.reject(new Error('the reason')));
  const answer = await fetch(`${url}/direct`);
  expect(answer.status).toBe(500);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(await answer.text()).not.toContain('the reason');
  expect(await lines.take()).toMatchObject({
    level: 'error',
    reqId: 'req-7',
    err: { message: 'the reason' },
  });
});

test('a sender that goes away in the middle of its request is no failure', async () => {
  const { lines, port, url } = await serve(async (request, response) => {
    await readBody(request, 100);
    response.end();
  });
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(`${headOf('POST /direct', 'Host: x', 'Content-Length: 10')}half`, () => socket.destroy());
  expect(await lines.take()).toMatchObject({ msg: 'request', method: 'POST' });
  await fetch(`${url}/direct`);
  expect(await lines.take()).toMatchObject({ msg: 'request', method: 'GET' });
});

test('a route that writes its lines itself has none beside them, but for requests that it does not come to answer', async () => {
  const { lines, port, url } = await serve(
    async (request, response) => {
      await readBody(request, 100);
      response.writeHead(204).end();
    },
    { writesLine: true },
  );
  expect((await fetch(`${url}/direct`, { method: 'POST' })).status).toBe(204);
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(`${headOf('PUT /direct', 'Host: x', 'Content-Length: 10')}half`, () => socket.destroy());
  expect(await lines.take()).toMatchObject({ msg: 'request', method: 'PUT' });
});
