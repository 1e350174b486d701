import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/config.ts';
import { mistakesIn } from './mistakes.ts';
import { SECRET } from './tokens.ts';

const JWKS_URL = 'https://login.example.com/.well-known/jwks.json';
const OTHER_SECRET = 'another-secret-of-the-tests-with-32-characters';

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

describe('METRICS_TOKEN', () => {
  const key = 'hush-hush-hush-hush';

  it('is refused where it is an API key, which would let scrapers create videos', () => {
    const mistakes = mistakesIn({ API_KEYS: `ben:key-of-ben,ada:${key}`, METRICS_TOKEN: key });
    expect(mistakes).toEqual([expect.stringMatching(/METRICS_TOKEN.*key of ada/)]);
    expect(mistakes.join()).not.toContain('hush');
  });

  it('may be anything else', () => {
    expect(mistakesIn({ API_KEYS: 'ben:key-of-ben', METRICS_TOKEN: key })).toEqual([]);
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

  it.each([{ JWT_ISSUER: 'me' }, { JWT_AUDIENCE: 'me' }, { JWT_ISSUER: 'me', JWT_AUDIENCE: 'me' }])(
    'are needed where issuer or audience are named: %j',
    (env) => {
      expect(mistakesIn(env)).toContainEqual(
        expect.stringMatching(/JWT_ISSUER or JWT_AUDIENCE is set without/),
      );
      expect(mistakesIn({ ...env, JWT_SECRET: SECRET })).toEqual([]);
      expect(mistakesIn({ ...env, JWT_SECRET: '', JWT_JWKS_URL: JWKS_URL })).toEqual([]);
    },
  );
});
