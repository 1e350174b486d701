import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { postOf, sendRaw } from '../attacks/raw-http.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';
import { deferred, onTestEnd } from '../kit/waits.ts';
import { API_KEYS, bearer } from './asking.ts';

const OPERATION = '{"query":"{ __typename }"}';
/** So many of one address may wait until it is known who sends them. */
const PLACES = 64;

/** A token whose key its issuer has to be asked for. */
const TOKEN = [{ alg: 'RS256', kid: 'x' }, { sub: 'ada' }, 'signature']
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.');

/** An issuer that answers when the test says so; `asked` is when it is asked first. */
async function startSlowIssuer() {
  const asked = deferred('the issuer to be asked');
  const answered = deferred();
  const server = createServer((_, response) => {
    asked.resolve();
    void answered.promise.then(() => response.writeHead(200).end('{"keys":[]}'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestEnd(() => {
    answered.resolve();
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  return { url, asked: asked.promise, answer: answered.resolve };
}

async function start(env: Readonly<Record<string, string>>) {
  const issuer = await startSlowIssuer();
  const provider = await startFakeProvider();
  const gateway = await startGateway({ provider, env: { API_KEYS, JWT_JWKS_URL: issuer.url, ...env } });
  const post = (authorization: string, ...lines: readonly string[]) =>
    sendRaw(
      gateway.app.port,
      postOf('/graphql', OPERATION, 'Host: x', `Authorization: ${authorization}`, ...lines),
    );
  return { issuer, post };
}

test('of one address a few dozen requests wait until it is known who sends them, and others are not held up', async () => {
  const { issuer, post } = await start({ TRUSTED_PROXIES: '127.0.0.1' });
  const from = (address: string) => `X-Forwarded-For: ${address}`;
  const stranger = from('203.0.113.1');
  const sent = Array.from({ length: PLACES + 6 }, () => post(`Bearer ${TOKEN}`, stranger));
  const refused = await Promise.race(sent);
  expect(refused).toMatchObject({ status: 429, head: expect.stringMatching(/^retry-after: 1$/im) as string });
  expect(JSON.parse(refused.body)).toMatchObject({ status: 429, errors: [expect.anything()] });
  expect((await post(bearer('ann').authorization, from('203.0.113.2'))).status).toBe(200);
  issuer.answer();
  const statuses = (await Promise.all(sent)).map(({ status }) => status).toSorted((a, b) => a - b);
  expect(statuses).toEqual([...Array<number>(PLACES).fill(401), ...Array<number>(6).fill(429)]);
  // Their places are free again.
  expect((await post(bearer('ann').authorization, stranger)).status).toBe(200);
});

test('an address behind which many clients may be has no such limit', async () => {
  const { issuer, post } = await start({});
  const waiting = Array.from({ length: 2 * PLACES }, () => post(`Bearer ${TOKEN}`));
  await issuer.asked;
  expect((await post(bearer('ann').authorization)).status).toBe(200);
  issuer.answer();
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual(waiting.map(() => 401));
});
