import { exportSPKI } from 'jose';
import { describe, expect, it } from 'vitest';
import type { Gateway } from '../kit/gateway.ts';
import { startIssuer } from './issuer.ts';
import { LET_IN, REFUSED, knockWith, startGuarded } from './knock.ts';
import { SECRET, claims, createSigningKey, part, signWith, signed, type SigningKey } from './tokens.ts';

const OTHER_SECRET = 'another-secret-of-the-tests-with-32-characters';

/** A gateway that takes the tokens of an issuer with one key. */
async function startTrusting(alg: string): Promise<{ gateway: Gateway; key: SigningKey }> {
  const key = await createSigningKey(alg);
  const { jwksUrl } = await startIssuer([key]);
  return { key, gateway: await startGuarded({ JWT_JWKS_URL: jwksUrl }) };
}

/** The token with another header, content or signature. */
function altered(token: string, place: 0 | 1 | 2, change: (part: string) => string): string {
  return token
    .split('.')
    .map((text, index) => (index === place ? change(text) : text))
    .join('.');
}

describe('a shared secret', () => {
  it('lets its tokens in and no others', async () => {
    const gateway = await startGuarded({ JWT_SECRET: SECRET });
    expect(await knockWith(gateway, await signWith(SECRET))).toEqual(LET_IN);
    expect(await knockWith(gateway, await signWith(OTHER_SECRET))).toEqual(REFUSED);
  });

  it('may be one of two while it is changed', async () => {
    const gateway = await startGuarded({ JWT_SECRET: `${OTHER_SECRET}, ${SECRET}` });
    for (const secret of [SECRET, OTHER_SECRET])
      expect(await knockWith(gateway, await signWith(secret))).toEqual(LET_IN);
    expect(await knockWith(gateway, await signWith(`${SECRET}!`))).toEqual(REFUSED);
    expect(await knockWith(gateway, await signWith(SECRET, claims({ exp: 1 })))).toEqual(REFUSED);
  });

  it.each(['HS384', 'HS512'])('signs with HS256 only, not with %s', async (alg) => {
    const gateway = await startGuarded({ JWT_SECRET: SECRET });
    const token = await signed(new TextEncoder().encode(SECRET.repeat(2)), { alg }, claims());
    expect(await knockWith(gateway, token)).toEqual(REFUSED);
  });

  it.each(['RS256', 'ES256', 'EdDSA'])('is no match for a signature with %s', async (alg) => {
    const gateway = await startGuarded({ JWT_SECRET: SECRET });
    expect(await knockWith(gateway, await (await createSigningKey(alg)).sign())).toEqual(REFUSED);
  });
});

describe("an issuer's keys", () => {
  it.each(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'])('let in what they signed with %s', async (alg) => {
    const { gateway, key } = await startTrusting(alg);
    expect(await knockWith(gateway, await key.sign())).toEqual(LET_IN);
    const stranger = await createSigningKey(alg);
    expect(await knockWith(gateway, await stranger.sign(claims(), { kid: key.kid }))).toEqual(REFUSED);
  });

  it('are not secrets: what is signed with HS256 and a public key is a forgery', async () => {
    const { gateway, key } = await startTrusting('RS256');
    const pem = await exportSPKI(key.publicKey);
    for (const secret of [pem, pem.trimEnd(), JSON.stringify(key.jwk), key.jwk.n ?? ''])
      expect(await knockWith(gateway, await signWith(secret, claims(), { kid: key.kid }))).toEqual(REFUSED);
  });

  it('are only those that it publishes: what a token brings along or points at is ignored', async () => {
    const { gateway, key } = await startTrusting('ES256');
    const stranger = await createSigningKey('ES256');
    const elsewhere = await startIssuer([stranger]);
    for (const kid of [key.kid, stranger.kid, undefined]) {
      const header = { kid, jwk: stranger.jwk, jku: elsewhere.jwksUrl, x5u: elsewhere.jwksUrl };
      expect(await knockWith(gateway, await stranger.sign(claims(), header))).toEqual(REFUSED);
    }
    expect(elsewhere.requests()).toBe(0);
  });

  it('sign in the way that is published for them, not in another one of the same kind', async () => {
    const key = await createSigningKey('RS256');
    const { jwksUrl } = await startIssuer([{ jwk: { ...key.jwk, alg: 'PS256' } }]);
    expect(await knockWith(await startGuarded({ JWT_JWKS_URL: jwksUrl }), await key.sign())).toEqual(REFUSED);
  });

  it('that are published for something else than signatures do not count', async () => {
    const key = await createSigningKey('RS256');
    const { jwksUrl } = await startIssuer([{ jwk: { ...key.jwk, use: 'enc' } }]);
    expect(await knockWith(await startGuarded({ JWT_JWKS_URL: jwksUrl }), await key.sign())).toEqual(REFUSED);
  });
});

describe.each([
  [
    'a shared secret',
    async () => ({ gateway: await startGuarded({ JWT_SECRET: SECRET }), good: await signWith(SECRET) }),
  ],
  [
    "an issuer's keys",
    async () => {
      const { gateway, key } = await startTrusting('RS256');
      return { gateway, good: await key.sign() };
    },
  ],
] as const)('with %s', (_, start) => {
  it.each(['none', 'None', 'NONE', 'nOnE', ''])('a token with the algorithm "%s" is refused', async (alg) => {
    const { gateway, good } = await start();
    const unsigned = `${part({ alg, typ: 'JWT' })}.${part(claims())}.`;
    expect(await knockWith(gateway, unsigned)).toEqual(REFUSED);
    expect(await knockWith(gateway, unsigned + (good.split('.')[2] ?? ''))).toEqual(REFUSED);
  });

  it('a token that was changed anywhere is refused', async () => {
    const { gateway, good } = await start();
    expect(await knockWith(gateway, good)).toEqual(LET_IN);
    const changed = [
      altered(good, 0, (header) =>
        part({ ...(JSON.parse(Buffer.from(header, 'base64url').toString()) as object), x: 1 }),
      ),
      altered(good, 1, () => part(claims({ sub: 'ben' }))),
      altered(good, 2, (signature) => (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1)),
      altered(good, 2, () => ''),
    ];
    for (const token of changed) expect(await knockWith(gateway, token)).toEqual(REFUSED);
  });

  it.each([
    ['one part', 'eyJhbGciOiJIUzI1NiJ9'],
    ['two parts', 'eyJhbGciOiJIUzI1NiJ9.e30'],
    ['five parts, as an encrypted one has them', 'eyJhbGciOiJkaXIifQ..a.b.c'],
    ['only dots', '..'],
    ['a header that is no JSON', 'bm8.e30.c2ln'],
    ['a header that is a list', `${part([])}.${part({})}.c2ln`],
    ['a header without an algorithm', `${part({})}.${part(claims())}.c2ln`],
    ['an algorithm that is no text', `${part({ alg: 256 })}.${part(claims())}.c2ln`],
    ['an algorithm that does not exist', `${part({ alg: 'constructor' })}.${part(claims())}.c2ln`],
    [
      'a demand that is not understood',
      `${part({ alg: 'RS256', crit: ['x'], x: 1 })}.${part(claims())}.c2ln`,
    ],
    ['ten thousand characters', `${part({ alg: 'RS256' })}.${'a'.repeat(10_000)}.c2ln`],
  ])('a token of %s is refused', async (__, token) => {
    const { gateway } = await start();
    expect(await knockWith(gateway, token)).toEqual(REFUSED);
  });
});
