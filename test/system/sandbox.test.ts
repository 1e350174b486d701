import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { TASK } from '../kit/documents.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { onTestEnd, createQueue } from '../kit/waits.ts';
import { startBuilt, startBuiltSandbox } from '../kit/process.ts';
import { createTask, watchToTheEnd } from './client.ts';

const PROMPT = { prompt: 'snow falling [sandbox: duration=1s]' };

test('a gateway without a public address brings a task to SUCCESS by asking a sandbox that runs alone', async () => {
  const sandbox = await startBuiltSandbox({ KIE_API_KEY: 'key-of-both' });
  const gateway = await startBuilt({
    DATA_DIR: await temporaryDir(),
    KIE_API_URL: sandbox.url,
    KIE_API_KEY: 'key-of-both',
  });
  const { id } = await createTask(gateway.graphqlUrl, PROMPT);
  const last = (await watchToTheEnd(gateway.graphqlUrl, id)).at(-1);
  expect(last?.state).toBe('SUCCESS');

  const url = last?.videos[0]?.url ?? '';
  expect(url.startsWith(`${sandbox.url}/files/`)).toBe(true);
  const part = await fetch(url, { headers: { range: 'bytes=0-9' } });
  expect([part.status, (await part.arrayBuffer()).byteLength]).toEqual([206, 10]);
});

test('with a public address, the signed callback itself brings SUCCESS', async () => {
  const { gateway, callbacks } = await startWithCallbacks({
    sandboxKey: 'hmac-of-both',
    ownKeys: 'hmac-of-both',
  });
  const { id } = await createTask(gateway.graphqlUrl, PROMPT);
  const callback = await callbacks.take();
  expect(callback.status).toBe(200);
  expect(callback.headers['x-webhook-signature']).toBeDefined();
  // A callback that is only a hint would be followed by a query first.
  const { body } = await graphql(gateway.graphqlUrl, TASK, { id });
  expect(dataOf(body).task?.state).toBe('SUCCESS');
});

test('a callback signed with another key is refused, and the task comes to SUCCESS all the same', async () => {
  const { gateway, callbacks } = await startWithCallbacks({
    sandboxKey: 'of-somebody',
    ownKeys: 'new-key,old-key',
  });
  const { id } = await createTask(gateway.graphqlUrl, PROMPT);
  expect((await callbacks.take()).status).toBe(401);
  expect((await watchToTheEnd(gateway.graphqlUrl, id)).at(-1)?.state).toBe('SUCCESS');
});

test('a wrong key at the provider is told as what it is', async () => {
  const sandbox = await startBuiltSandbox({ KIE_API_KEY: 'the-right-key' });
  const gateway = await startBuilt({
    DATA_DIR: await temporaryDir(),
    KIE_API_URL: sandbox.url,
    KIE_API_KEY: 'a-wrong-key',
  });
  await expect(createTask(gateway.graphqlUrl)).rejects.toThrow('"code":"UNAUTHORIZED"');
});

interface Callback {
  readonly headers: IncomingHttpHeaders;
  /** What the gateway answered. */
  readonly status: number;
}

/** A sandbox alone and a gateway that it calls back, through a proxy in between that shows the callbacks. */
async function startWithCallbacks({ sandboxKey, ownKeys }: { sandboxKey: string; ownKeys: string }) {
  const proxy = await startProxy();
  const sandbox = await startBuiltSandbox({ KIE_WEBHOOK_HMAC_KEYS: sandboxKey });
  const gateway = await startBuilt({
    DATA_DIR: await temporaryDir(),
    PUBLIC_URL: proxy.url,
    KIE_API_URL: sandbox.url,
    KIE_API_KEY: 'any-key',
    KIE_WEBHOOK_HMAC_KEYS: ownKeys,
  });
  proxy.forwardTo(gateway.url);
  return { gateway, callbacks: proxy.callbacks };
}

/** As in front of most gateways; here also because the gateway's own port is known only after its start. */
async function startProxy() {
  const callbacks = createQueue<Callback>('a callback');
  let target = '';
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const headers = Object.entries(request.headers).filter(([name]) => /^(content-type|x-)/.test(name));
      const answer = await fetch(target + (request.url ?? ''), {
        method: request.method ?? 'GET',
        headers: headers.map(([name, value]): [string, string] => [name, String(value)]),
        body: Buffer.concat(chunks),
      });
      const text = await answer.text();
      response.writeHead(answer.status).end(text);
      callbacks.push({ headers: request.headers, status: answer.status });
    })().catch(() => {
      // The gateway is gone, as at the end of a test. What a test waits for would not come.
      response.destroy();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestEnd(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    callbacks,
    forwardTo: (url: string) => {
      target = url;
    },
  };
}
