import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { checkConfiguration, judgeSpace } from '../../src/cli/doctor/settings.ts';
import { parseConfig } from '../../src/config/config.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { onTestEnd } from '../kit/waits.ts';
import { examine, print } from './examine.ts';

const HTTPS = 'https://video.example.com';
const SIGNED = { KIE_API_KEY: 'key', KIE_WEBHOOK_HMAC_KEYS: 'a-key-that-is-long-enough' };
const KEYS = { API_KEYS: 'ann:a-key-that-is-long-enough' };

describe('doctor says of settings', () => {
  it.each([
    [{}, ['ok every variable is valid']],
    [{ ...SIGNED, ...KEYS, PUBLIC_URL: HTTPS }, ['ok every variable is valid']],
    [{ KIE_API_KEY: 'key' }, ['warning KIE_API_KEY is set without PUBLIC_URL']],
    [
      { ...KEYS, KIE_API_KEY: 'key', PUBLIC_URL: HTTPS },
      ['warning PUBLIC_URL is set without KIE_WEBHOOK_HMAC_KEYS'],
    ],
    [
      { ...SIGNED, ...KEYS, PUBLIC_URL: 'http://video.example.com' },
      ['warning PUBLIC_URL=http://video.example.com is not enc'],
    ],
    [
      { ...SIGNED, ...KEYS, PUBLIC_URL: 'http://10.1.2.3' },
      ['warning PUBLIC_URL=http://10.1.2.3 is not a public address'],
    ],
    [{ ...SIGNED, PUBLIC_URL: HTTPS }, ['warning PUBLIC_URL leads to a gateway without authentication']],
    [{ HOST: '0.0.0.0', ALLOW_ANONYMOUS: 'true' }, ['warning HOST=0.0.0.0 without authentication']],
    [
      { ...SIGNED, ...KEYS, PUBLIC_URL: HTTPS, MAX_SOCKETS_PER_ADDRESS: '9' },
      ['warning MAX_SOCKETS_PER_ADDRESS is set without TRUSTED_PROXIES'],
    ],
  ])('%j what is to be minded', (env, expected) => {
    const found = checkConfiguration(parseConfig(env));
    expect(found.map(({ message, status }) => `${status} ${message}`)).toEqual(
      expected.map((text) => expect.stringContaining(text) as string),
    );
    expect(found.filter(({ mend, status }) => status === 'warning' && mend === null)).toEqual([]);
  });

  it('all mistakes as the first result, and checks nothing else', async () => {
    const { findings, status } = await examine({ PORT: 'x', HOST: '0.0.0.0' });
    expect(status).toBe('config');
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ check: 'configuration', status: 'failure' });
    expect(findings[0]?.message).toMatch(/There are 2 mistakes.*PORT="x".*HOST=/s);
  });

  it('in sandbox mode what is skipped, and why', async () => {
    const { findings, status } = await examine({ DATA_DIR: await temporaryDir() });
    const skipped = findings.filter((finding) => finding.status === 'skipped');
    expect(skipped.map(({ check }) => check)).toEqual([
      'provider',
      'clock',
      'public address',
      'WebSocket',
      'signatures',
    ]);
    expect(skipped.every(({ message }) => message.includes('sandbox'))).toBe(true);
    expect(status).toBe('ok');
  });

  it('one line for each finding, and how to mend it below, for people', async () => {
    const { printed } = await print({
      KIE_API_KEY: 'key',
      KIE_API_URL: 'http://127.0.0.1:1',
      DATA_DIR: await temporaryDir(),
    });
    expect(printed).toMatch(
      /^warning {2}configuration {3}KIE_API_KEY is set without PUBLIC_URL.*\n {25}-> Set PUBLIC_URL/,
    );
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
    expect(good.of('configuration')).toContainEqual(
      expect.stringMatching(/^warning a key in KIE_WEBHOOK_HMAC_KEYS is shorter/),
    );
    const bad = await examine({ ...env, JWT_JWKS_URL: `${url}/none` });
    expect(bad.of('access').slice(2)).toEqual([
      expect.stringMatching(/^failure .*\/none holds no keys/),
      expect.stringMatching(/^warning JWT_AUDIENCE is not set/),
    ]);
    expect(good.printed + bad.printed).not.toContain('canary');
  });

  it('when little room is left', () => {
    const GIB = 1024 ** 3;
    expect([5 * GIB, GIB / 2, GIB / 100].map((bytes) => judgeSpace('/data', bytes).status)).toEqual([
      'ok',
      'warning',
      'failure',
    ]);
    expect(judgeSpace('/data', GIB / 2).message).toBe('/data has 512 MiB free');
  });
});
