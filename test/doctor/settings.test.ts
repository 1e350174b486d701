import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { checkConfiguration, judgeSpace } from '../../src/cli/doctor/settings.ts';
import { parseConfig } from '../../src/config/config.ts';
import { stopTheClock } from '../kit/clock.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { credit, refused } from '../kit/kie.ts';
import { startFakeProvider, type Answer } from '../kit/provider.ts';
import { onTestEnd } from '../kit/waits.ts';
import { examine, print } from './examine.ts';

const HTTPS = 'https://video.example.com';
const SIGNED = { KIE_API_KEY: 'key', KIE_WEBHOOK_HMAC_KEYS: 'a-key-that-is-long-enough' };
const KEYS = { API_KEYS: 'ann:a-key-that-is-long-enough' };
const SAFE = { ...SIGNED, ...KEYS };

describe('doctor says of settings', () => {
  it.each<readonly [env: Readonly<Record<string, string>>, finding: string]>([
    [{}, 'ok every variable is valid'],
    [{ ...SAFE, PUBLIC_URL: HTTPS }, 'ok every variable is valid'],
    [{ KIE_API_KEY: 'key' }, 'warning KIE_API_KEY is set without PUBLIC_URL'],
    [
      { ...KEYS, KIE_API_KEY: 'k', PUBLIC_URL: HTTPS },
      'warning PUBLIC_URL is set without KIE_WEBHOOK_HMAC_KEYS',
    ],
    [
      { ...SAFE, KIE_WEBHOOK_HMAC_KEYS: 'short', PUBLIC_URL: HTTPS },
      'warning a key in KIE_WEBHOOK_HMAC_KEYS is sh',
    ],
    [{ ...SAFE, PUBLIC_URL: 'http://a.example' }, 'warning PUBLIC_URL=http://a.example is not encrypted'],
    [
      { ...SAFE, PUBLIC_URL: 'http://10.1.2.3' },
      'warning PUBLIC_URL=http://10.1.2.3 is not a public address',
    ],
    [{ ...SIGNED, PUBLIC_URL: HTTPS }, 'warning PUBLIC_URL leads to a gateway without authentication'],
    [{ HOST: '0.0.0.0', ALLOW_ANONYMOUS: 'true' }, 'warning HOST=0.0.0.0 without authentication'],
    [
      { ...SAFE, PUBLIC_URL: HTTPS, MAX_SOCKETS_PER_ADDRESS: '9' },
      'warning MAX_SOCKETS_PER_ADDRESS is set without TRUSTED_PROXIES',
    ],
    [{ CHECK_IMAGES: '1', HTTPS_PROXY: 'http://p:1' }, 'warning CHECK_IMAGES is set beside a proxy'],
  ])('%j what is to be minded: %s', (env, expected) => {
    const found = checkConfiguration(parseConfig(env));
    const told = found.map(({ message, status }) => `${status} ${message}`);
    expect(told).toEqual([expect.stringContaining(expected)]);
    expect(found.filter(({ mend, status }) => status === 'warning' && mend === null)).toEqual([]);
  });

  it('all mistakes as the first result, and checks nothing else', async () => {
    const { findings, status } = await examine({ PORT: 'x', HOST: '0.0.0.0' });
    expect([status, findings.length]).toEqual(['config', 1]);
    expect(findings[0]).toMatchObject({ check: 'configuration', status: 'failure' });
    expect(findings[0]?.message).toMatch(/There are 2 mistakes.*PORT="x".*HOST=/s);
  });

  it('in sandbox mode what is skipped, and why', async () => {
    const { findings, status } = await examine({ DATA_DIR: await temporaryDir() });
    const skipped = findings.filter((finding) => finding.status === 'skipped');
    const checks = ['provider', 'clock', 'public address', 'WebSocket', 'signatures'];
    expect([status, ...skipped.map(({ check }) => check)]).toEqual(['ok', ...checks]);
    expect(skipped.every(({ message }) => message.includes('sandbox'))).toBe(true);
  });

  it('one line for each finding, and how to mend it below, for people', async () => {
    const env = { KIE_API_KEY: 'key', KIE_API_URL: 'http://127.0.0.1:1', DATA_DIR: await temporaryDir() };
    const { printed } = await print(env);
    expect(printed).toMatch(/^warning {2}configuration {3}KIE_API_KEY is set .*\n {25}-> Set PUBLIC_URL/);
    expect(printed).toMatch(/\nfailure {2}provider .*\n {25}-> .*\n(.*\n)+\n1 failed; 1 warning\.\n$/);
  });

  it('how short keys are and whether the issuer publishes any, and no secret of any kind', async () => {
    const issuer = createServer((request, response) => {
      response.end(request.url === '/keys' ? '{"keys":[{"kty":"EC"},{"kty":"EC"}]}' : '{"keys":[]}');
    }).listen(0, '127.0.0.1');
    await once(issuer, 'listening');
    onTestEnd(() => void issuer.close());
    const url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
    const env = {
      DATA_DIR: await temporaryDir(),
      DATABASE_URL: 'postgres://me:canary-1@127.0.0.1:1/db',
      KIE_API_KEY: 'canary-2',
      KIE_API_URL: 'http://127.0.0.1:1',
      KIE_WEBHOOK_HMAC_KEYS: 'canary-3',
      API_KEYS: 'ann:canary-4',
      PUBLIC_URL: 'https://127.0.0.1:1',
    };
    const good = await examine({ ...env, JWT_JWKS_URL: `${url}/keys`, JWT_AUDIENCE: 'us' });
    expect(good.of('access')).toEqual([
      expect.stringMatching(/^ok API keys of 1 owner, tokens signed by/),
      expect.stringMatching(/^warning API_KEYS: a key of ann is shorter than/),
      `ok ${url}/keys holds 2 keys`,
    ]);
    const bad = await examine({ ...env, JWT_JWKS_URL: `${url}/none` });
    expect(bad.of('access').slice(2)).toEqual([
      expect.stringMatching(/^failure .*\/none holds no keys/),
      expect.stringMatching(/^warning JWT_AUDIENCE is not set/),
    ]);
    expect(good.printed + bad.printed).not.toContain('canary');
  });

  it.each([
    [5, 'ok', '/data has 5.0 GiB free'],
    [1 / 2, 'warning', '/data has 512 MiB free'],
    [1 / 100, 'failure', '/data has 10 MiB free'],
  ])('that %d GiB of free space are %s', (gib, status, message) => {
    expect(judgeSpace('/data', gib * 1024 ** 3)).toMatchObject({ status, message });
  });
});

describe('doctor says of the provider', () => {
  const KEY = 'key-of-the-tests';

  async function examineWith(answer: Answer) {
    const provider = await startFakeProvider();
    provider.answer('credit', answer);
    return examine({ KIE_API_KEY: KEY, KIE_API_URL: provider.url, DATA_DIR: await temporaryDir() });
  }

  it.each<readonly [answer: Answer, finding: string]>([
    [
      credit(10_000),
      'ok kie.ai accepts the key; 10000 credits are left, enough for 175 videos of 57 credits',
    ],
    [
      credit(60),
      'warning kie.ai accepts the key; 60 credits are left, enough for 1 video of 57 credits -> Buy',
    ],
    [refused(401, 'Invalid key'), 'failure kie.ai rejects the key in KIE_API_KEY -> Set the key'],
    [
      refused(455, `sorry, ${KEY}`),
      'failure kie.ai answers with code 455 (MAINTENANCE): sorry, [redacted] ->',
    ],
    [{ status: 403, body: '<html>' }, 'failure http'],
    [{ body: { code: 200, msg: 'ok', data: null } }, 'warning kie.ai accepts the key and does not say'],
  ])('what it answered: %j', async (answer, expected) => {
    const { of, status } = await examineWith(answer);
    expect(of('provider')).toEqual([expect.stringContaining(expected)]);
    expect(status === 'failure').toBe(expected.startsWith('failure'));
  });

  it.each([
    [10, /^ok our clock is 10 s ahead of the provider's$/],
    [-120, /^warning our clock is 12[01] s behind the provider's -> Let this machine keep time/],
    [400, /^failure our clock is 400 s ahead of the provider's: every signed callback is refused as stale/],
  ])('how far its clock is from ours: %i s', async (secondsAgo, expected) => {
    // The provider's answer tells whole seconds, and takes its time.
    stopTheClock();
    const date = new Date(Date.now() - secondsAgo * 1000).toUTCString();
    const { of } = await examineWith({ ...credit(10_000), headers: { date } });
    expect(of('clock')).toEqual([expect.stringMatching(expected)]);
  });

  it('why it cannot be reached', async () => {
    const { close, url } = await startFakeProvider();
    await close();
    const { of } = await examine({ KIE_API_KEY: KEY, KIE_API_URL: url, DATA_DIR: await temporaryDir() });
    expect(of('provider')).toEqual([expect.stringMatching(/nothing listens there \(ECONNREFUSED\)/)]);
    expect(of('clock')).toEqual(['skipped the provider sent no time to compare with']);
  });
});
