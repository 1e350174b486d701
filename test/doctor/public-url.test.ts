import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DatabaseSync } from '../../src/store/sqlite/driver.ts';
import { startBalancer } from '../kit/http-proxy.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { HMAC_KEY, startGateway, temporaryDir } from '../kit/gateway.ts';
import { credit } from '../kit/kie.ts';
import { onTestEnd } from '../kit/waits.ts';
import { temporaryDatabase } from '../kit/store.ts';
import { startTcpProxy } from '../kit/tcp-proxy.ts';
import { examine } from './examine.ts';

const KEYS = { API_KEYS: 'ann:a-key-that-is-long-enough' };
const WRONG_KEY = 'a-key-that-is-not-known';

type Env = Readonly<Record<string, string>>;

/** A gateway with a key, and the environment with which doctor examines it. */
async function running(settings: Env = {}) {
  const provider = await startFakeProvider();
  provider.always('credit', credit(10_000));
  const gateway = await startGateway({ provider, env: settings });
  const { app, dataDir, url } = gateway;
  const env: Env = {
    KIE_API_KEY: 'test-key',
    KIE_API_URL: provider.url,
    KIE_WEBHOOK_HMAC_KEYS: HMAC_KEY,
    DATA_DIR: dataDir,
    PORT: String(app.port),
    PUBLIC_URL: url,
    ...settings,
  };
  return { gateway, env, url };
}

/** Something that answers whatever it is asked with this status and these headers. */
async function answering(status: number, headers: Env): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(status, headers).end('no'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What doctor says of the three parts of the way to a gateway, and as a whole. */
async function wayOf(env: Env): Promise<readonly string[]> {
  const { of, status } = await examine(env);
  return [status, ...of('public address'), ...of('WebSocket'), ...of('signatures')];
}

const ARRIVED = /^ok a callback through .* arrived at a gateway that runs on this store$/;
const ACKNOWLEDGED = /^ok a socket to ws:.*\/graphql is acknowledged$/;
const SIGNED = /^ok callbacks signed with the key are accepted$/;
const ASKED = /^ok a socket to ws:.* arrives, and is asked for credentials$/;
const SKIPPED = /^skipped not tried: PUBLIC_URL leads to no gateway on this store$/;

it('doctor sends a callback through PUBLIC_URL, and no task is created by it', async () => {
  const { env, gateway } = await running();
  expect(await wayOf(env)).toEqual(['ok', ARRIVED, ACKNOWLEDGED, SIGNED].map(matching));
  const database = new DatabaseSync(join(gateway.dataDir, 'kineograph.db'), { readOnly: true });
  expect(database.prepare('select id from tasks').all()).toEqual([]);
  database.close();
});

interface Way {
  readonly what: string;
  /** Settings of the gateway. */
  readonly settings?: () => Promise<Env>;
  /** Settings of doctor that differ; `url` is the gateway's. */
  readonly changes?: (url: string) => Promise<Env> | Env;
  readonly expected: readonly RegExp[];
}

const WAYS: readonly Way[] = [
  {
    what: 'a proxy',
    changes: async (url) => ({
      PUBLIC_URL: `http://127.0.0.1:${(await startTcpProxy(Number(new URL(url).port))).port}`,
    }),
    expected: [ARRIVED, ACKNOWLEDGED, SIGNED],
  },
  {
    what: 'a gateway with PostgreSQL and API keys',
    settings: async () => ({ ...KEYS, DATABASE_URL: await temporaryDatabase() }),
    expected: [ARRIVED, ASKED, SIGNED],
  },
  {
    what: 'a gateway without the keys of doctor',
    changes: () => ({ ...KEYS, KIE_WEBHOOK_HMAC_KEYS: `${HMAC_KEY},${WRONG_KEY}` }),
    expected: [
      ARRIVED,
      /^warning .*is accepted without credentials -> Was the gateway/,
      /^failure the running gateway rejects what key 2 of KIE_WEBHOOK_HMAC_KEYS signs -> Restart/,
    ],
  },
  {
    what: 'a gateway with a key that doctor has not',
    changes: () => ({ KIE_WEBHOOK_HMAC_KEYS: '' }),
    expected: [ARRIVED, ACKNOWLEDGED, /^warning the running gateway asks for signatures/],
  },
  {
    what: 'a proxy that does not pass WebSockets on',
    changes: async (url) => ({ PUBLIC_URL: (await startBalancer(() => url)).url }),
    expected: [ARRIVED, /^warning your proxy does not pass WebSockets on: ws:.*-> Let it pass/, SIGNED],
  },
  {
    what: 'a proxy that redirects',
    changes: async () => ({ PUBLIC_URL: await answering(301, { location: 'https://elsewhere.example/x' }) }),
    expected: [
      /^failure .*is redirected \(HTTP 301\) to https:\/\/elsewhere\.example \(a gateway runs here\) -> Set PUBLIC_URL/,
    ],
  },
  {
    what: 'a proxy that asks for a password',
    changes: async () => ({ PUBLIC_URL: await answering(401, { server: 'gate' }) }),
    expected: [
      /^failure .*is answered with HTTP 401, by gate, and not by this gateway .*-> Let what listens/,
    ],
  },
  {
    what: 'a proxy that does not reach the gateway',
    changes: async () => ({ PUBLIC_URL: await answering(502, {}) }),
    expected: [/^failure .*HTTP 502, .*-> What listens at PUBLIC_URL does not reach http:\/\/127/],
  },
  {
    what: 'a gateway on another store',
    changes: async () => ({ PUBLIC_URL: (await running()).url }),
    expected: [/^failure a gateway answers at .* that does not run on this store -> Run doctor with/],
  },
  {
    what: 'a port that speaks no TLS',
    changes: (url) => ({ PUBLIC_URL: url.replace('http', 'https') }),
    expected: [/^failure .* cannot be reached: what listens there does not speak TLS/],
  },
];

describe('doctor says what PUBLIC_URL leads to:', () => {
  it.each(WAYS)('$what', async ({ changes, expected, settings }) => {
    const { env, url } = await running(await settings?.());
    const [, ...found] = await wayOf({ ...env, ...(await changes?.(url)) });
    const others = expected.length === 1 ? [SKIPPED, SKIPPED] : [];
    expect(found).toEqual([...expected, ...others].map(matching));
  });
});

it('doctor recognises a gateway that refuses wrong tokens of its address for now', async () => {
  const { env, gateway, url } = await running();
  for (let sent = 0; sent <= 300; sent += 1)
    await (await fetch(`${url}/webhooks/kie/some-task/guess`, { method: 'POST' })).arrayBuffer();
  const away = { ...env, DATA_DIR: await temporaryDir() };
  expect((await wayOf(away)).slice(1, 2)).toEqual([
    matching(/^warning a gateway answers at .*, and refuses wrong tokens .* for now -> Wait for a minute/),
  ]);
  expect((await wayOf(env)).slice(1)).toEqual([ARRIVED, ACKNOWLEDGED, SIGNED].map(matching));
  await gateway.close();
});

it('doctor says that no gateway runs, and what else answers', async () => {
  const { env, gateway } = await running();
  await gateway.close();
  const absent = /^warning no gateway runs here, and none answers at .* -> Start it, and run doctor again/;
  for (const PUBLIC_URL of [env['PUBLIC_URL'] ?? '', await answering(502, {})])
    expect((await wayOf({ ...env, PUBLIC_URL })).slice(1)).toEqual([absent, SKIPPED, SKIPPED].map(matching));
  const PUBLIC_URL = await answering(404, {});
  expect((await wayOf({ ...env, PUBLIC_URL })).slice(0, 2)).toEqual([
    'failure',
    matching(/^failure .* answered with HTTP 404, and not by this gateway -> Let what/),
  ]);
});

function matching(expected: RegExp | string): unknown {
  return expect.stringMatching(expected);
}
