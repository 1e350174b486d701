import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DatabaseSync } from '../../src/store/sqlite/driver.ts';
import { startBalancer } from '../support/balancer.ts';
import { startFakeProvider } from '../support/fake-provider.ts';
import { HMAC_KEY, startGateway, temporaryDir } from '../support/gateway.ts';
import { onTestEnd } from '../support/leftovers.ts';
import { temporaryDatabase } from '../support/postgres-database.ts';
import { credit } from '../support/kie.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { examine } from './examine.ts';

const KEYS = { API_KEYS: 'ann:a-key-that-is-long-enough' };

/** A gateway with a key, and the environment with which doctor looks at it. */
async function running(env: Readonly<Record<string, string>> = {}) {
  const provider = await startFakeProvider();
  provider.always('credit', credit(10_000));
  const gateway = await startGateway({ provider, env });
  const { app, dataDir, url } = gateway;
  const given = {
    KIE_API_KEY: 'test-key',
    KIE_API_URL: provider.url,
    KIE_WEBHOOK_HMAC_KEYS: HMAC_KEY,
    DATA_DIR: dataDir,
    PORT: String(app.port),
    ...env,
  };
  return { gateway, env: given, origin: url, port: app.port };
}

async function listening(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('doctor goes the road from the public address to a running gateway', () => {
  it('through a proxy: callback, socket and signature arrive, and no task is made of it', async () => {
    const { env, port, gateway } = await running();
    const PUBLIC_URL = `http://127.0.0.1:${(await startTcpProxy(port)).port}`;
    const { code, of } = await examine({ ...env, PUBLIC_URL });
    expect(of('public address')).toEqual([
      `ok a callback through ${PUBLIC_URL} arrived at a gateway that runs on this store`,
    ]);
    expect(of('WebSocket')).toEqual([
      `ok a socket to ${PUBLIC_URL.replace('http', 'ws')}/graphql is acknowledged`,
    ]);
    expect(of('signatures')).toEqual(['ok callbacks signed with the key are accepted']);
    expect(code).toBe(0);
    const database = new DatabaseSync(join(gateway.dataDir, 'kineograph.db'), { readOnly: true });
    expect(database.prepare('select id from tasks').all()).toEqual([]);
    database.close();
  });

  it('whose store is PostgreSQL, and which asks who calls', async () => {
    const { env, origin } = await running({ ...KEYS, DATABASE_URL: await temporaryDatabase() });
    const { of } = await examine({ ...env, PUBLIC_URL: origin });
    expect(of('public address')).toEqual([
      expect.stringMatching(/^ok .*arrived at a gateway that runs on this store$/),
    ]);
    expect(of('WebSocket')).toEqual([expect.stringMatching(/^ok .*arrives, and is asked for credentials$/)]);
  });

  it('with other settings: keys that it does not take, credentials that it does not ask for', async () => {
    const { env, origin } = await running();
    const KIE_WEBHOOK_HMAC_KEYS = `${HMAC_KEY},a-key-that-is-not-known`;
    const { code, of } = await examine({ ...env, ...KEYS, PUBLIC_URL: origin, KIE_WEBHOOK_HMAC_KEYS });
    expect(of('public address')).toEqual([expect.stringMatching(/^ok /)]);
    expect(of('signatures')).toEqual([
      expect.stringMatching(
        /^failure the running gateway does not take what key 2 of KIE_WEBHOOK_HMAC_KEYS signs -> Restart/,
      ),
    ]);
    expect(of('WebSocket')).toEqual([
      expect.stringMatching(/^warning .*is accepted without credentials -> Was the gateway/),
    ]);
    expect(code).toBe(1);
    const without = await examine({ ...env, PUBLIC_URL: origin, KIE_WEBHOOK_HMAC_KEYS: '' });
    expect(without.of('signatures')).toEqual([
      expect.stringMatching(/^warning the running gateway asks for signatures/),
    ]);
  });

  it('through a proxy that does not pass WebSockets on, which is said', async () => {
    const { env, origin } = await running();
    const { url: PUBLIC_URL } = await startBalancer(() => origin);
    const { code, of } = await examine({ ...env, PUBLIC_URL });
    expect(of('public address')).toEqual([expect.stringMatching(/^ok /)]);
    expect(of('WebSocket')).toEqual([
      expect.stringMatching(
        /^warning your proxy does not pass WebSockets on: ws:.* is answered with HTTP \d+ -> Let it pass/,
      ),
    ]);
    expect(code).toBe(0);
  });

  it.each([
    [
      'redirects',
      301,
      { location: 'https://elsewhere.example/x' },
      /is redirected \(HTTP 301\) to https:\/\/elsewhere\.example .*-> Set PUBLIC_URL/,
    ],
    [
      'asks for a password',
      401,
      { server: 'gate' },
      /is answered with HTTP 401, by gate, and not by this gateway .*-> Let what listens/,
    ],
    [
      'does not reach it',
      502,
      {},
      /is answered with HTTP 502, .*-> What listens at PUBLIC_URL does not reach http:\/\/127/,
    ],
  ])('to a proxy that %s, which is said', async (_what, status, headers, expected) => {
    const { env } = await running();
    const PUBLIC_URL = await listening((_request, response) => response.writeHead(status, headers).end('no'));
    const { code, of } = await examine({ ...env, PUBLIC_URL });
    expect(of('public address')).toEqual([expect.stringMatching(expected)]);
    expect(of('public address')[0]).toMatch(/^failure .*\(a gateway runs on this store\)/);
    expect(of('WebSocket')).toEqual([expect.stringMatching(/^skipped /)]);
    expect(code).toBe(1);
  });

  it('to the gateway of another store, and to what speaks no TLS, which is said', async () => {
    const [{ env }, other] = [await running(), await running()];
    expect((await examine({ ...env, PUBLIC_URL: other.origin })).of('public address')).toEqual([
      `failure a gateway answers at ${other.origin} that does not run on this store -> Run doctor with the environment of that gateway (DATA_DIR, DATABASE_URL), or point PUBLIC_URL to this one.`,
    ]);
    const PUBLIC_URL = other.origin.replace('http', 'https');
    expect((await examine({ ...env, PUBLIC_URL })).of('public address')).toEqual([
      expect.stringMatching(/^failure .* cannot be reached: what listens there does not speak TLS/),
    ]);
  });
});

describe('where no gateway runs, doctor', () => {
  it('listens in its place for a moment, and says so', async () => {
    const { env, gateway, port } = await running();
    await gateway.close();
    const PUBLIC_URL = `http://127.0.0.1:${(await startTcpProxy(port)).port}`;
    const { code, of } = await examine({ ...env, PUBLIC_URL });
    expect(of('public address')).toEqual([
      `ok no gateway runs; doctor listened on http://127.0.0.1:${port} for a moment, and a callback through ${PUBLIC_URL} arrived`,
    ]);
    expect(of('WebSocket')).toEqual([expect.stringMatching(/^ok .* is acknowledged$/)]);
    expect(of('signatures')).toEqual([expect.stringMatching(/^skipped not tried: no gateway/)]);
    expect(code).toBe(0);
    await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow();
  });

  it('says what else listens there, and that nothing arrives', async () => {
    const stranger = await listening((_request, response) => response.writeHead(404).end());
    const env = { DATA_DIR: await temporaryDir(), PORT: new URL(stranger).port };
    const { of } = await examine({ ...env, PUBLIC_URL: stranger });
    expect(of('public address')).toEqual([
      expect.stringMatching(
        /^failure .* answered with HTTP 404, .* \(something listens on http:\/\/127\.0\.0\.1:\d+\) -> Let what/,
      ),
    ]);
    const elsewhere = await examine({ ...env, PORT: '0', PUBLIC_URL: 'http://127.0.0.1:1' });
    expect(elsewhere.of('public address')).toEqual([
      expect.stringMatching(/^failure .* \(with PORT=0 nobody knows/),
    ]);
  });
});
