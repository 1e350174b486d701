import { describe, expect, it } from 'vitest';
import { describeAccess } from '../../src/cli/describe-access.ts';
import { ConfigError, parseConfig } from '../../src/config.ts';
import { SECRET } from './tokens.ts';

const JWKS_URL = 'https://login.example.com/.well-known/jwks.json';
const OTHER_SECRET = 'another-secret-of-the-tests-with-32-characters';

/** The mistakes that an environment is told; none when it is fine. */
function mistakesIn(env: Readonly<Record<string, string>>): readonly string[] {
  try {
    parseConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
}

describe('API_KEYS', () => {
  it('are owners with their keys; an owner may have several, and a key may hold colons', () => {
    const { apiKeys } = parseConfig({ API_KEYS: ' ada:key-of-ada , ada:ada:again,, ben@x.example:12345678' });
    expect(apiKeys).toEqual([
      { owner: 'ada', key: 'key-of-ada' },
      { owner: 'ada', key: 'ada:again' },
      { owner: 'ben@x.example', key: '12345678' },
    ]);
  });

  it.each([
    ['without an owner', 'hush-hush-hush'],
    ['with an empty owner', ':hush-hush-hush'],
    ['with an owner of two words', 'ada l:hush-hush-hush'],
    ['with an owner of 256 characters', `${'x'.repeat(256)}:hush-hush-hush`],
    ['with a key of 7 characters', 'ada:hush-hu'],
    ['with a key that holds a space', 'ada:hush hush-hush'],
    ['with a key that is not ASCII', 'ada:hush-hüsh-hush'],
  ])('are refused %s, with the place, an example and nothing of the key', (_, item) => {
    expect(mistakesIn({ API_KEYS: `ben:key-of-ben,${item}` })).toEqual([
      'API_KEYS, item 2: expected items of the form owner:key, each key of at least 8 characters without spaces ' +
        '(example: API_KEYS=ada:a-long-random-key,ben:another-one)',
    ]);
  });

  it('are refused where two owners have the same key, since it can open the tasks of one only', () => {
    const [mistake, ...others] = mistakesIn({
      API_KEYS: 'ada:hush-hush-hush,ben:hush-hush-hush,cy:key-of-cy',
    });
    expect(mistake).toMatch(/API_KEYS.*ada and ben.*same key/);
    expect(mistake).not.toContain('hush');
    expect(others).toEqual([]);
  });
});

describe('JWT_SECRET', () => {
  it.each([
    [SECRET, [SECRET]],
    [`${SECRET}, ${OTHER_SECRET}`, [SECRET, OTHER_SECRET]],
    [`${SECRET},`, [SECRET]],
    ['x'.repeat(32), ['x'.repeat(32)]],
  ])('%j holds the secrets %j', (JWT_SECRET, expected) => {
    expect(parseConfig({ JWT_SECRET }).jwtSecret).toEqual(expected);
  });

  it.each(['hush', 'x'.repeat(31), `${SECRET},hush`])(
    'of less than 32 characters is refused without being shown, one of two as well: %s',
    (JWT_SECRET) => {
      const mistakes = mistakesIn({ JWT_SECRET });
      expect(mistakes).toEqual([expect.stringMatching(/^JWT_SECRET is shorter than 32 characters/)]);
      expect(mistakes.join()).not.toMatch(/hush|xxx/);
    },
  );

  it('that no header could carry is refused without being shown', () => {
    const mistakes = mistakesIn({ JWT_SECRET: `${SECRET},hush ${'hush'.repeat(10)}` });
    expect(mistakes).toEqual([expect.stringMatching(/^JWT_SECRET, item 2: expected visible ASCII/)]);
    expect(mistakes.join()).not.toContain('hush');
  });
});

describe('JWT_JWKS_URL', () => {
  it.each([JWKS_URL, 'http://127.0.0.1:8080/jwks', 'https://login.example.com/keys?tenant=1'])(
    'may be %s',
    (url) => {
      expect(parseConfig({ JWT_JWKS_URL: url }).jwtJwksUrl).toBe(url);
    },
  );

  it.each(['login.example.com/jwks', 'ftp://login.example.com/jwks', '/jwks', 'file:///etc/jwks.json'])(
    'is refused as %s, with what is expected and an example',
    (url) => {
      expect(mistakesIn({ JWT_JWKS_URL: url })).toEqual([
        `JWT_JWKS_URL="${url}": expected an absolute http(s) URL without user and password (example: JWT_JWKS_URL=${JWKS_URL})`,
      ]);
    },
  );

  it('is refused with a user and password, which no request could be made with, and does not show them', () => {
    const mistakes = mistakesIn({ JWT_JWKS_URL: 'https://me:hush@login.example.com/jwks' });
    expect(mistakes).toEqual([expect.stringMatching(/^JWT_JWKS_URL=.*without user and password/)]);
    expect(mistakes.join()).not.toContain('hush');
  });
});

describe('the ways to sign tokens', () => {
  it('exclude each other', () => {
    expect(mistakesIn({ JWT_JWKS_URL: JWKS_URL, JWT_SECRET: SECRET })).toEqual([
      expect.stringMatching(/JWT_JWKS_URL and JWT_SECRET are both set.*Unset one/),
    ]);
  });

  it.each([
    { JWT_ISSUER: 'me' },
    { JWT_AUDIENCE: 'me' },
    { JWT_ISSUER: 'me', JWT_AUDIENCE: 'me' },
    { JWT_ISSUER: 'me', JWT_SECRET: ',' },
  ])('are needed where issuer or audience are named: %j', (env) => {
    expect(mistakesIn(env)).toContainEqual(
      expect.stringMatching(/JWT_ISSUER or JWT_AUDIENCE is set without/),
    );
    expect(mistakesIn({ ...env, JWT_SECRET: SECRET })).toEqual([]);
    expect(mistakesIn({ ...env, JWT_SECRET: '', JWT_JWKS_URL: JWKS_URL })).toEqual([]);
  });
});

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
    // Lists of nothing, as templates with unset variables leave them.
    { API_KEYS: ',' },
    { API_KEYS: ' , ,' },
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
    ['0.0.0.0/0', ['0.0.0.0/0']],
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
  ])('is refused as %s, with an example', (value) => {
    expect(mistakesIn({ TRUSTED_PROXIES: `::1,${value}` })).toEqual([
      `TRUSTED_PROXIES="::1,${value}", item 2: expected IP addresses or networks such as 10.0.0.0/8 (example: TRUSTED_PROXIES=10.0.0.0/8)`,
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
