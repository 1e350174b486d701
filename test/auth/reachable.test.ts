import { describe, expect, it } from 'vitest';
import { describeAccess } from '../../src/cli/banner.ts';
import { parseConfig } from '../../src/config/config.ts';
import { mistakesIn } from './mistakes.ts';
import { SECRET } from './tokens.ts';

const JWKS_URL = 'https://login.example.com/.well-known/jwks.json';

describe('an address that other machines reach', () => {
  it.each([
    { API_KEYS: 'ada:key-of-ada' },
    { JWT_SECRET: SECRET },
    { JWT_JWKS_URL: JWKS_URL },
    { ALLOW_ANONYMOUS: 'true' },
  ])('needs no more than %j', (env) => {
    expect(mistakesIn({ HOST: '0.0.0.0', ...env })).toEqual([]);
  });

  it.each<Readonly<Record<string, string>>>([
    {},
    { API_KEYS: '' },
    { ALLOW_ANONYMOUS: 'false' },
    { SHOW_CREDITS: 'true' },
  ])('needs keys, tokens or ALLOW_ANONYMOUS, and has none of them with %j', (env) => {
    expect(mistakesIn({ HOST: '0.0.0.0', ...env })).toEqual([
      expect.stringMatching(
        /API_KEYS=owner:key, JWT_JWKS_URL or JWT_SECRET.*HOST=127\.0\.0\.1.*ALLOW_ANONYMOUS=true/,
      ),
    ]);
  });

  it.each([{ API_KEYS: 'hush' }, { JWT_JWKS_URL: 'hush' }, { JWT_SECRET: 'hush' }])(
    'is told one mistake, not two, where its keys cannot be read: %j',
    (env) => {
      expect(mistakesIn({ HOST: '0.0.0.0', ...env })).toHaveLength(1);
    },
  );
});

describe('TRUSTED_PROXIES', () => {
  it.each([
    ['10.0.0.0/8, 192.168.1.1', ['10.0.0.0/8', '192.168.1.1']],
    ['::1,fd00::/8', ['::1', 'fd00::/8']],
  ])('may be %s', (TRUSTED_PROXIES, expected) => {
    expect(parseConfig({ TRUSTED_PROXIES }).trustedProxies).toEqual(expected);
  });

  it.each([
    'proxy.example.com',
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0/8',
    '10.0.0.1/',
    '10.0.0.1:80',
    '*',
    'true',
    '1',
    '0.0.0.0/0',
    '::/0',
  ])('is refused as %s, with an example', (value) => {
    expect(mistakesIn({ TRUSTED_PROXIES: `::1,${value}` })).toEqual([
      `TRUSTED_PROXIES="::1,${value}", item 2: expected IP addresses or networks such as 10.0.0.0/8, not every address (/0) (example: TRUSTED_PROXIES=10.0.0.0/8)`,
    ]);
  });
});

describe('SHOW_CREDITS', () => {
  it('is a switch', () => {
    expect(parseConfig({ SHOW_CREDITS: '1' }).showCredits).toBe(true);
    expect(mistakesIn({ SHOW_CREDITS: 'yes' })).toEqual([
      expect.stringMatching(/^SHOW_CREDITS="yes": expected one of/),
    ]);
  });
});

describe('what the start says of who may call', () => {
  it.each<[Readonly<Record<string, string>>, string]>([
    [{}, 'open, loopback only'],
    [{ HOST: '0.0.0.0', ALLOW_ANONYMOUS: 'true' }, 'open to everyone (ALLOW_ANONYMOUS)'],
    [{ API_KEYS: 'ada:key-of-ada,ada:another-key' }, 'API keys of 1 owner'],
    [{ API_KEYS: 'ada:key-of-ada,ben:key-of-ben' }, 'API keys of 2 owners'],
    [{ JWT_SECRET: SECRET }, 'tokens signed with JWT_SECRET'],
    [{ JWT_JWKS_URL: JWKS_URL }, `tokens signed by the keys at ${JWKS_URL}`],
    [
      { JWT_SECRET: SECRET, API_KEYS: 'ada:key-of-ada' },
      'API keys of 1 owner, tokens signed with JWT_SECRET',
    ],
    [{ HOST: '0.0.0.0', ALLOW_ANONYMOUS: 'true', API_KEYS: 'ada:key-of-ada' }, 'API keys of 1 owner'],
  ])('with %j is: %s', (env, said) => {
    expect(describeAccess(parseConfig(env))).toBe(said);
  });
});
