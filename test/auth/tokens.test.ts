import { exportSPKI } from 'jose';
import { describe, expect, it } from 'vitest';
import { TASKS } from '../kit/documents.ts';
import { dataOf, graphql } from '../kit/graphql.ts';
import { oncePerFile } from '../kit/waits.ts';
import { startHeldGateway } from '../websocket/held-gateway.ts';
import { addTask } from '../websocket/stored-tasks.ts';
import { knockWith, LET_IN, REFUSED, startGuarded, startIssuer, statusWith } from './knock.ts';
import { claims, createSigningKey, inSeconds, SECRET, signed, signWith, type Claims } from './tokens.ts';

const OTHER_SECRET = 'another-secret-of-the-tests-with-32-characters';
const JWT_ISSUER = 'https://login.example.com/';
const JWT_AUDIENCE = 'kineograph';
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const;

/** It takes tokens that are signed with SECRET, whatever their issuer and audience. */
const withSecret = oncePerFile(() => startHeldGateway({ env: { JWT_SECRET: SECRET } }));

/** It takes tokens of an issuer that publishes these keys, and two that it must not use as they ask for. */
const withIssuer = oncePerFile(async () => {
  const [RS256, PS256, ES256, ES384, EdDSA] = await Promise.all(
    ALGORITHMS.map((alg) => createSigningKey(alg)),
  );
  const [fixed, encrypting] = [await createSigningKey('RS256'), await createSigningKey('RS256')];
  if (!RS256 || !PS256 || !ES256 || !ES384 || !EdDSA) throw new Error('A key is missing');
  const keys = { RS256, PS256, ES256, ES384, EdDSA };
  const { jwksUrl } = await startIssuer([
    ...Object.values(keys),
    { jwk: { ...fixed.jwk, alg: 'PS256' } },
    { jwk: { ...encrypting.jwk, use: 'enc' } },
  ]);
  return { keys, fixed, encrypting, gateway: await startGuarded({ JWT_JWKS_URL: jwksUrl }) };
});

const strict = oncePerFile(() => startGuarded({ JWT_SECRET: SECRET, JWT_ISSUER, JWT_AUDIENCE }));

async function statusOf(content: Claims): Promise<number> {
  return statusWith((await withSecret()).gateway, await signWith(SECRET, content));
}

async function issuerSays(token: string): Promise<number> {
  return statusWith((await withIssuer()).gateway, token);
}

/** The part of a token that holds this. */
function part(content: object): string {
  return Buffer.from(JSON.stringify(content)).toString('base64url');
}

describe('a shared secret', () => {
  it('opens every door to its tokens and to no others', async () => {
    const { gateway } = await withSecret();
    expect(await knockWith(gateway, await signWith(SECRET))).toEqual(LET_IN);
    expect(await knockWith(gateway, await signWith(OTHER_SECRET))).toEqual(REFUSED);
  });

  it('may be one of two while it is changed', async () => {
    const gateway = await startGuarded({ JWT_SECRET: `${OTHER_SECRET}, ${SECRET}` });
    for (const secret of [SECRET, OTHER_SECRET])
      expect(await statusWith(gateway, await signWith(secret))).toBe(200);
    expect(await statusWith(gateway, await signWith(`${SECRET}!`))).toBe(401);
    expect(await statusWith(gateway, await signWith(SECRET, claims({ exp: 1 })))).toBe(401);
  });

  it('signs with HS256 only, and is no match for what a key signs', async () => {
    const { gateway } = await withSecret();
    for (const alg of ['HS384', 'HS512']) {
      const token = await signed(new TextEncoder().encode(SECRET), { alg }, claims());
      expect(await statusWith(gateway, token)).toBe(401);
    }
    for (const key of Object.values((await withIssuer()).keys))
      expect(await statusWith(gateway, await key.sign())).toBe(401);
  });
});

describe("an issuer's keys", () => {
  it.each(ALGORITHMS)('let in what they signed with %s, and nothing of a stranger', async (alg) => {
    const { gateway, keys } = await withIssuer();
    expect(await knockWith(gateway, await keys[alg].sign())).toEqual(LET_IN);
    const stranger = await createSigningKey(alg);
    const forged = await stranger.sign(claims(), { kid: keys[alg].kid });
    expect(await knockWith(gateway, forged)).toEqual(REFUSED);
  });

  it('are not secrets: what is signed with HS256 and a public key is a forgery', async () => {
    const { RS256: key } = (await withIssuer()).keys;
    const pem = await exportSPKI(key.publicKey);
    for (const secret of [pem, pem.trimEnd(), JSON.stringify(key.jwk), key.jwk.n ?? ''])
      expect(await issuerSays(await signWith(secret, claims(), { kid: key.kid }))).toBe(401);
  });

  it('are only those that it publishes: what a token brings along or points at is ignored', async () => {
    const { keys } = await withIssuer();
    const stranger = await createSigningKey('ES256');
    const elsewhere = await startIssuer([stranger]);
    for (const kid of [keys.ES256.kid, stranger.kid, undefined]) {
      const header = { kid, jwk: stranger.jwk, jku: elsewhere.jwksUrl, x5u: elsewhere.jwksUrl };
      expect(await issuerSays(await stranger.sign(claims(), header))).toBe(401);
    }
    expect(elsewhere.requests()).toBe(0);
  });

  it('sign only as they are published for: not in another way of the same kind, nor for encryption', async () => {
    const { encrypting, fixed } = await withIssuer();
    expect(await issuerSays(await fixed.sign())).toBe(401);
    expect(await issuerSays(await encrypting.sign())).toBe(401);
  });
});

describe('with a shared secret, and with the keys of an issuer,', () => {
  it('a token that was changed anywhere is refused', async () => {
    const { gateway, keys } = await withIssuer();
    const both = [
      [(await withSecret()).gateway, await signWith(SECRET)],
      [gateway, await keys.RS256.sign()],
    ] as const;
    for (const [url, good] of both) {
      const [header = '', content = '', signature = ''] = good.split('.');
      expect(await statusWith(url, good)).toBe(200);
      const known = JSON.parse(Buffer.from(header, 'base64url').toString()) as object;
      const unsigned = part({ ...known, alg: 'none' });
      const changed = [
        [part({ ...known, x: 1 }), content, signature],
        [header, part(claims({ sub: 'ben' })), signature],
        [header, content, (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1)],
        [header, content, ''],
        [unsigned, content, signature],
      ];
      for (const parts of changed) expect(await statusWith(url, parts.join('.'))).toBe(401);
    }
  });

  const critical = { alg: 'RS256', crit: ['x'], x: 1 };
  it.each([
    ...['none', 'None', 'nOnE', ''].map((alg) => [
      `the algorithm "${alg}"`,
      `${part({ alg, typ: 'JWT' })}.${part(claims())}.`,
    ]),
    ['one part', 'eyJhbGciOiJIUzI1NiJ9'],
    ['two parts', 'eyJhbGciOiJIUzI1NiJ9.e30'],
    ['five parts, as an encrypted one has them', 'eyJhbGciOiJkaXIifQ..a.b.c'],
    ['only dots', '..'],
    ['a header that is no JSON', 'bm8.e30.c2ln'],
    ['a header that is a list', `${part([])}.${part({})}.c2ln`],
    ['a header without an algorithm', `${part({})}.${part(claims())}.c2ln`],
    ['an algorithm that is no text', `${part({ alg: 256 })}.${part(claims())}.c2ln`],
    ['an algorithm that does not exist', `${part({ alg: 'constructor' })}.${part(claims())}.c2ln`],
    ['a demand that is not understood', `${part(critical)}.${part(claims())}.c2ln`],
    ['ten thousand characters', `${part({ alg: 'RS256' })}.${'a'.repeat(10_000)}.c2ln`],
  ])('a token of %s is refused', async (_, token = '') => {
    expect(await statusWith((await withSecret()).gateway, token)).toBe(401);
    expect(await issuerSays(token)).toBe(401);
  });
});

describe('the claim', () => {
  it.each([
    'ada',
    'auth0|5f7c8ec7c33c6c004bbafe82',
    'Ada Lovelace',
    'ädä@example.com',
    '小明',
    '0',
    'x'.repeat(255),
  ])('sub is the owner: %s', async (sub) => {
    const { gateway, store } = await withSecret();
    for (const owner of [sub, 'somebody else']) await addTask(store, { owner, prompt: owner });
    const headers = { authorization: `Bearer ${await signWith(SECRET, claims({ sub }))}` };
    const { tasks } = dataOf((await graphql(gateway.graphqlUrl, TASKS, {}, headers)).body);
    expect(tasks.edges.map(({ node }) => node.prompt)).toEqual([sub]);
  });

  it.each([
    ['is missing', undefined],
    ['is null', null],
    ['is empty', ''],
    ['is a number', 42],
    ['is true', true],
    ['is a list of one name', ['ada']],
    ['is an object', { name: 'ada' }],
    ['has 256 characters', 'x'.repeat(256)],
    ['holds a line feed', 'ada\nben'],
    ['ends with a line feed', 'ada\n'],
    ['holds a NUL', 'ada\0'],
    ['holds half a character', 'ada\ud800'],
  ])('sub is refused when it %s', async (_, sub) => {
    expect(await statusOf(claims({ sub }))).toBe(401);
  });

  it.each([
    ['exp an hour ahead', () => ({ exp: inSeconds(3600) }), 200],
    ['exp a century ahead', () => ({ exp: inSeconds(100 * 365 * 86_400) }), 200],
    ['exp two seconds ago, since clocks differ', () => ({ exp: inSeconds(-2) }), 200],
    ['exp six seconds ago', () => ({ exp: inSeconds(-6) }), 401],
    ['exp in the year 1970', () => ({ exp: 1 }), 401],
    ['exp missing', () => ({ exp: undefined }), 401],
    ['exp of null', () => ({ exp: null }), 401],
    ['exp as a text', () => ({ exp: String(Math.ceil(inSeconds(3600))) }), 401],
    ['nbf an hour ago', () => ({ nbf: inSeconds(-3600) }), 200],
    ['nbf three seconds ahead, since clocks differ', () => ({ nbf: inSeconds(3) }), 200],
    ['nbf a minute ahead', () => ({ nbf: inSeconds(60) }), 401],
    ['nbf as a text', () => ({ nbf: 'tomorrow' }), 401],
    ['iss and aud, where none are configured', () => ({ iss: 'anyone', aud: ['anything'] }), 200],
  ])('%s gets %d', async (_, content, status) => {
    expect(await statusOf(claims(content()))).toBe(status);
  });

  const right = { iss: JWT_ISSUER, aud: JWT_AUDIENCE };
  it.each<readonly [what: string, content: Claims, status: number]>([
    ['iss and aud as configured', right, 200],
    ['iss of another one', { ...right, iss: 'https://login.example.org/' }, 401],
    ['iss without its slash', { ...right, iss: 'https://login.example.com' }, 401],
    ['iss as a list', { ...right, iss: [JWT_ISSUER] }, 401],
    ['no iss', { ...right, iss: undefined }, 401],
    ['aud that lists the configured one', { ...right, aud: ['other', JWT_AUDIENCE] }, 200],
    ['aud of another one', { ...right, aud: 'other' }, 401],
    ['aud as a text that holds the configured one', { ...right, aud: `${JWT_AUDIENCE} other` }, 401],
    ['aud that lists others', { ...right, aud: ['other', 'kineographs'] }, 401],
    ['aud that is an empty list', { ...right, aud: [] }, 401],
    ['no aud', { ...right, aud: undefined }, 401],
  ])('%s, where JWT_ISSUER and JWT_AUDIENCE are set, gets %d', async (_, content, status) => {
    expect(await statusWith(await strict(), await signWith(SECRET, claims(content)))).toBe(status);
  });
});

it.each([
  ['has expired', { exp: 1 }, 'The token has expired.', 'Get a new token.'],
  [
    'is not valid yet',
    { nbf: 1e10 },
    'The token is invalid.',
    'Use a token that the issuer signed for this gateway.',
  ],
])('a token that %s is told so, with a way out', async (_, content, message, hint) => {
  const { gateway } = await withSecret();
  const headers = { authorization: `Bearer ${await signWith(SECRET, claims(content))}` };
  const { body } = await graphql(gateway.graphqlUrl, '{ __typename }', {}, headers);
  expect(body.errors).toEqual([{ message, extensions: { code: 'UNAUTHENTICATED', hint } }]);
});
