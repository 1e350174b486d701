import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { createLog } from '../../src/log/log.ts';
import { problem } from '../../src/http/problem.ts';
import { readBody } from '../../src/http/body.ts';
import {
  createDirectRoutes,
  type DirectHandler,
  type DirectRoute,
  type DirectRoutes,
} from '../../src/http/router.ts';
import type { Gate } from '../../src/http/gate.ts';
import { createRequestLog } from '../../src/http/request-log.ts';
import { headOf } from '../attacks/raw-http.ts';
import { onTestEnd, createQueue } from '../kit/waits.ts';

type Line = Readonly<Record<string, unknown>>;

const gate: Pick<Gate, 'refusalOf'> = {
  refusalOf: ({ headers }) => (headers['x-shut'] === undefined ? null : { problem: problem(421) }),
};

/** A server with one direct route, `/direct`, and a gate that lets nothing with `X-Shut` in; all else is answered with 404. */
async function serve(handle: DirectHandler, options: Pick<DirectRoute, 'writesLine' | 'isBeforeGate'> = {}) {
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
  const direct: DirectRoutes = createDirectRoutes({
    log,
    requests,
    nextId: () => 'req-7',
    gate,
    allowOrigin: () => undefined,
  });
  direct.add({ name: '/direct', fits: ({ url }) => url === '/direct', handle, ...options });
  const server = createServer((request, response) => {
    if (!direct.take(request, response)) response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestEnd(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  const { port } = server.address() as AddressInfo;
  return { direct, lines, port, url: `http://127.0.0.1:${port}` };
}

const greet: DirectHandler = (_request, response) => {
  response.end('hello');
  return Promise.resolve();
};

test('a direct route answers with one line in the log', async () => {
  const { lines, url } = await serve(greet);
  const answer = await fetch(`${url}/direct`);
  expect(await answer.text()).toBe('hello');
  const told = { msg: 'request', reqId: 'req-7', method: 'GET', route: '/direct', status: 200 };
  expect(await lines.take()).toMatchObject(told);
});

test('what fits no direct route is left to the server, and everything is refused once they are closed', async () => {
  const { direct, url } = await serve(greet);
  expect((await fetch(`${url}/other`)).status).toBe(404);
  direct.close();
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
  const before = await serve(greet, { isBeforeGate: true });
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
