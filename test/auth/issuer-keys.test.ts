import type { JWK } from 'jose';
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createLog } from '../../src/log/log.ts';
import type { Gateway } from '../kit/gateway.ts';
import type { Answer } from '../kit/provider.ts';
import { startIssuer, type Issuer } from './issuer.ts';
import { LET_IN, REFUSED, knockWith, startGuarded } from './knock.ts';
import { createMovableClock, passTime } from './passing-time.ts';
import { claims, createSigningKey, inSeconds, type SigningKey } from './tokens.ts';

const TEN_MINUTES = 10 * 60_000;
/** Until the issuer may be asked about an unknown key again. */
const COOLDOWN = 30_000;

async function start(...keys: readonly SigningKey[]): Promise<{ gateway: Gateway; issuer: Issuer }> {
  const issuer = await startIssuer(keys);
  return { issuer, gateway: await startGuarded({ JWT_JWKS_URL: issuer.jwksUrl }) };
}

/** A gateway whose clock can be put forward, and which knows the keys of its issuer. */
async function startKnowing(key: SigningKey) {
  const clock = createMovableClock();
  const issuer = await startIssuer([key]);
  const gateway = await startGuarded({ JWT_JWKS_URL: issuer.jwksUrl }, { overrides: { clock } });
  expect(await knockWith(gateway, await key.sign())).toEqual(LET_IN);
  return { clock, issuer, gateway };
}

function withoutName({ jwk }: SigningKey): { readonly jwk: JWK } {
  return { jwk: Object.fromEntries(Object.entries(jwk).filter(([name]) => name !== 'kid')) };
}

const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });

const UNUSABLE: readonly (readonly [problem: string, jwk: unknown])[] = [
  [
    'RSA of 1024 bits, fewer than 2048',
    { ...weak.publicKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig' },
  ],
  ['not a public key that Node.js can read', { kty: 'RSA', n: 'AQAB', alg: 'RS256' }],
  ['not a public key that Node.js can read', { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }],
  ['a private or secret key', weak.privateKey.export({ format: 'jwk' })],
  ['a private or secret key', { kty: 'oct', k: 'c2VjcmV0' }],
  ['not an object', null],
];

describe('the keys of an issuer', () => {
  it('are loaded with the first token, and then cached', async () => {
    const key = await createSigningKey();
    const { gateway, issuer } = await start(key);
    expect(issuer.requests()).toBe(0);
    for (let time = 0; time < 3; time += 1)
      expect(await knockWith(gateway, await key.sign())).toEqual(LET_IN);
    expect(issuer.requests()).toBe(1);
  });

  it('are loaded once for concurrent requests', async () => {
    const key = await createSigningKey();
    const { gateway, issuer } = await start(key);
    const token = await key.sign();
    const all = await Promise.all(Array.from({ length: 10 }, () => knockWith(gateway, token)));
    expect(all).toEqual(Array.from({ length: 10 }, () => LET_IN));
    expect(issuer.requests()).toBe(1);
  });

  it('are reloaded when a token has a new key id', async () => {
    const [old, fresh] = [await createSigningKey(), await createSigningKey('RS256')];
    const { gateway, issuer } = await start(old);
    expect(await knockWith(gateway, await old.sign())).toEqual(LET_IN);
    issuer.publish(old, fresh);
    passTime(COOLDOWN);
    for (const key of [fresh, old]) expect(await knockWith(gateway, await key.sign())).toEqual(LET_IN);
    expect(issuer.requests()).toBe(2);
  });

  it('are not reloaded for each invented key id', async () => {
    const key = await createSigningKey();
    const { gateway, issuer } = await start(key);
    expect(await knockWith(gateway, await key.sign())).toEqual(LET_IN);
    for (const kid of ['1', '2', '3'])
      expect(await knockWith(gateway, await key.sign(claims(), { kid }))).toEqual(REFUSED);
    expect(issuer.requests()).toBe(1);
  });

  it.each(['ES256', 'RS256'])('are all tried for a token without a key id (%s)', async (alg) => {
    const keys = [await createSigningKey(alg), await createSigningKey(alg)];
    const { gateway } = await start(...keys);
    const header = { kid: undefined };
    for (const key of keys) {
      expect(await knockWith(gateway, await key.sign(claims(), header))).toEqual(LET_IN);
      expect(await knockWith(gateway, await key.sign(claims({ exp: inSeconds(-60) }), header))).toEqual(
        REFUSED,
      );
    }
    const stranger = await createSigningKey(alg);
    expect(await knockWith(gateway, await stranger.sign(claims(), header))).toEqual(REFUSED);
  });

  it('may be published without key ids', async () => {
    const keys = [await createSigningKey(), await createSigningKey()];
    const issuer = await startIssuer(keys.map(withoutName));
    const gateway = await startGuarded({ JWT_JWKS_URL: issuer.jwksUrl });
    for (const key of keys)
      expect(await knockWith(gateway, await key.sign(claims(), { kid: undefined }))).toEqual(LET_IN);
  });

  it('that are unusable are ignored with one warning, and the others work', async () => {
    const key = await createSigningKey('RS256');
    const lines: string[] = [];
    const log = createLog({ level: 'warn', pretty: false }, { write: (line) => void lines.push(line) });
    const issuer = await startIssuer([]);
    issuer.answer({ body: { keys: [...UNUSABLE.map(([, jwk]) => jwk), withoutName(key).jwk] } });
    const gateway = await startGuarded({ JWT_JWKS_URL: issuer.jwksUrl }, { log });
    for (const header of [{}, { kid: undefined }])
      expect(await knockWith(gateway, await key.sign(claims(), header))).toEqual(
        'kid' in header ? LET_IN : REFUSED,
      );
    expect(lines.map((line) => (JSON.parse(line) as { problems?: unknown }).problems)).toEqual([
      UNUSABLE.map(([problem], index) => `key ${index + 1}: ${problem}`),
    ]);
  });

  it('may be an empty list: then every token is refused', async () => {
    const { gateway } = await start();
    expect(await knockWith(gateway, await (await createSigningKey()).sign())).toEqual(REFUSED);
  });
});

describe('a withdrawn key of an issuer', () => {
  it('is refused after ten minutes, from the first token on, and its successor is accepted', async () => {
    const [old, fresh] = [await createSigningKey(), await createSigningKey()];
    const { clock, gateway, issuer } = await startKnowing(old);
    issuer.publish(fresh);
    clock.forward(TEN_MINUTES - 60_000);
    expect(await knockWith(gateway, await old.sign())).toEqual(LET_IN);
    clock.forward(60_000);
    expect(await knockWith(gateway, await old.sign())).toEqual(REFUSED);
    expect(await knockWith(gateway, await fresh.sign())).toEqual(LET_IN);
    expect(issuer.requests()).toBe(2);
  });

  it.each<[string, Answer]>([
    ['has trouble', { status: 500, body: 'oops' }],
    ['answers with a page', { body: '<html>' }],
    ['answers with something that holds no keys', { body: { error: 'no' } }],
    ['sends elsewhere', { status: 302, headers: { location: '/' } }],
    ['cuts the connection', { reset: true }],
    ['never answers', { hang: true }],
  ])('is not assumed when the issuer %s: known keys still work', async (_, answer) => {
    const key = await createSigningKey();
    const { clock, gateway, issuer } = await startKnowing(key);
    issuer.answer(answer);
    clock.forward(TEN_MINUTES);
    expect(await knockWith(gateway, await key.sign())).toEqual(LET_IN);
    expect(issuer.requests()).toBe(2);
  });

  it('is not assumed during a long outage of the issuer', async () => {
    const key = await createSigningKey();
    const { clock, gateway, issuer } = await startKnowing(key);
    await issuer.close();
    for (let time = 0; time < 3; time += 1) {
      clock.forward(TEN_MINUTES);
      expect(await knockWith(gateway, await key.sign())).toEqual(LET_IN);
    }
  });
});
