import type { JWK } from 'jose';
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { stopTheClock } from '../kit/clock.ts';
import type { Gateway } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import type { Answer } from '../kit/provider.ts';
import {
  createLines,
  knock,
  knockWith,
  LATER,
  LET_IN,
  REFUSED,
  startGuarded,
  startIssuer,
  statusWith,
  type Issuer,
} from './knock.ts';
import { claims, createSigningKey, inSeconds, type SigningKey } from './tokens.ts';

const ORIGIN = 'https://app.example.com';
const TEN_MINUTES = 10 * 60_000;
/** Until the issuer may be asked about an unknown key again. */
const COOLDOWN = 30_000;
/** How long an issuer that failed is not asked again, in ms. */
const PAUSE = 1000;

/** Answers that hold no key set. */
const TROUBLE: readonly (readonly [what: string, answer: Answer])[] = [
  ['it has trouble', { status: 500, body: 'oops' }],
  ['there is nothing at its address', { status: 404, body: { keys: [] } }],
  ['it answers with a page', { headers: { 'content-type': 'text/html' }, body: '<html>' }],
  ['it answers with nothing', { body: '' }],
  ['it answers with something that holds no keys', { body: { error: 'no' } }],
  ['its keys are no list', { body: { keys: 'none' } }],
  ['it cuts the connection', { reset: true }],
  ['it stops in the middle of its keys', { body: { keys: [] }, cutBodyAfterBytes: 5 }],
];

async function start(...keys: readonly SigningKey[]): Promise<{ gateway: Gateway; issuer: Issuer }> {
  const issuer = await startIssuer(keys);
  return { issuer, gateway: await startGuarded({ JWT_JWKS_URL: issuer.jwksUrl }) };
}

/** A gateway that has loaded the keys of its issuer. */
async function startKnowing(key: SigningKey) {
  const started = await start(key);
  expect(await statusWith(started.gateway, await key.sign())).toBe(200);
  return started;
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
  it('are loaded with the first tokens, once, and not again for each invented key id', async () => {
    const key = await createSigningKey();
    const { gateway, issuer } = await start(key);
    expect(issuer.requests()).toBe(0);
    const token = await key.sign();
    const all = await Promise.all(Array.from({ length: 10 }, () => knockWith(gateway, token)));
    expect(all).toEqual(Array.from({ length: 10 }, () => LET_IN));
    for (const kid of ['1', '2', '3'])
      expect(await statusWith(gateway, await key.sign(claims(), { kid }))).toBe(401);
    expect(issuer.requests()).toBe(1);
  });

  it('are reloaded when a token has a new key id', async () => {
    const pass = stopTheClock();
    const [old, fresh] = [await createSigningKey(), await createSigningKey('EdDSA')];
    const { gateway, issuer } = await startKnowing(old);
    issuer.publish(old, fresh);
    pass(COOLDOWN);
    for (const key of [fresh, old]) expect(await knockWith(gateway, await key.sign())).toEqual(LET_IN);
    expect(issuer.requests()).toBe(2);
  });

  it.each(['ES256', 'RS256'])('are all tried for a token without a key id (%s)', async (alg) => {
    const keys = [await createSigningKey(alg), await createSigningKey(alg)];
    const { gateway } = await start(...keys);
    const header = { kid: undefined };
    for (const key of keys) {
      expect(await statusWith(gateway, await key.sign(claims(), header))).toBe(200);
      expect(await statusWith(gateway, await key.sign(claims({ exp: inSeconds(-60) }), header))).toBe(401);
    }
    const stranger = await createSigningKey(alg);
    expect(await statusWith(gateway, await stranger.sign(claims(), header))).toBe(401);
  });

  it('may be published without key ids, or not at all: then every token is refused', async () => {
    const keys = [await createSigningKey(), await createSigningKey()];
    const issuer = await startIssuer(keys.map(withoutName));
    const gateway = await startGuarded({ JWT_JWKS_URL: issuer.jwksUrl });
    for (const key of keys)
      expect(await statusWith(gateway, await key.sign(claims(), { kid: undefined }))).toBe(200);
    const { gateway: other } = await start();
    for (const key of keys) expect(await knockWith(other, await key.sign())).toEqual(REFUSED);
  });

  it('that are unusable are ignored with one warning, and the others work', async () => {
    const key = await createSigningKey('RS256');
    const { lines, log } = createLines();
    const issuer = await startIssuer([]);
    issuer.answer({ body: { keys: [...UNUSABLE.map(([, jwk]) => jwk), withoutName(key).jwk] } });
    const gateway = await startGuarded({ JWT_JWKS_URL: issuer.jwksUrl }, { log });
    expect(await statusWith(gateway, await key.sign())).toBe(401);
    expect(await statusWith(gateway, await key.sign(claims(), { kid: undefined }))).toBe(200);
    expect(lines.map((line) => (JSON.parse(line) as { problems?: unknown }).problems)).toEqual([
      UNUSABLE.map(([problem], index) => `key ${index + 1}: ${problem}`),
    ]);
  });

  it('that are withdrawn are refused after ten minutes, and their successors accepted', async () => {
    const pass = stopTheClock();
    const [old, fresh] = [await createSigningKey(), await createSigningKey()];
    const { gateway, issuer } = await startKnowing(old);
    issuer.publish(fresh);
    pass(TEN_MINUTES - 60_000);
    expect(await statusWith(gateway, await old.sign())).toBe(200);
    pass(60_000);
    expect(await knockWith(gateway, await old.sign())).toEqual(REFUSED);
    expect(await knockWith(gateway, await fresh.sign())).toEqual(LET_IN);
    expect(issuer.requests()).toBe(2);
  });

  it('that are known still work whatever the issuer answers, and while it is away for long', async () => {
    const pass = stopTheClock();
    const key = await createSigningKey();
    const { gateway, issuer } = await startKnowing(key);
    for (const [what, answer] of TROUBLE) {
      issuer.answer(answer);
      pass(TEN_MINUTES);
      const before = issuer.requests();
      expect(await statusWith(gateway, await key.sign()), what).toBe(200);
      expect(issuer.requests(), what).toBe(before + 1);
    }
    await issuer.close();
    for (let time = 0; time < 3; time += 1) {
      pass(TEN_MINUTES);
      expect(await knockWith(gateway, await key.sign())).toEqual(LET_IN);
    }
  });
});

describe('an issuer whose keys were never loaded', () => {
  it('makes tokens unverifiable while it is away, and is asked again once it is back', async () => {
    const pass = stopTheClock();
    const key = await createSigningKey();
    const { gateway, issuer } = await start();
    await issuer.close();
    expect(await knockWith(gateway, await key.sign())).toEqual(LATER);
    await startIssuer([key], { port: issuer.port });
    pass(PAUSE);
    expect(await knockWith(gateway, await key.sign())).toEqual(LET_IN);
  });

  it('makes tokens unverifiable until it returns keys, is not asked about each, and fails in short lines', async () => {
    const pass = stopTheClock();
    const { lines, log } = createLines('trace');
    const key = await createSigningKey();
    const elsewhere = await startIssuer([key]);
    const issuer = await startIssuer([]);
    const gateway = await startGuarded({ JWT_JWKS_URL: issuer.jwksUrl }, { log });
    const redirects = [301, 302, 307, 308].map((status): (typeof TROUBLE)[number] => [
      `it redirects with ${status}`,
      { status, headers: { location: elsewhere.jwksUrl } },
    ]);
    for (const [what, answer] of [...TROUBLE, ...redirects]) {
      issuer.answer(answer);
      pass(PAUSE);
      const before = issuer.requests();
      expect(await knockWith(gateway, await key.sign()), what).toEqual(LATER);
      for (let time = 0; time < 3; time += 1)
        expect(await statusWith(gateway, await key.sign(claims({ time }))), what).toBe(503);
      expect(issuer.requests(), what).toBe(before + 1);
    }
    expect(elsewhere.requests()).toBe(0);
    const failures = lines.filter((line) => line.includes("fetching the token issuer's keys failed"));
    expect(failures).toHaveLength(issuer.requests());
    expect(Math.max(...failures.map(({ length }) => length))).toBeLessThan(300);
    expect(JSON.parse(failures[0] ?? '')).toMatchObject({ reason: 'status 500 instead of 200' });
    const secrets = (await key.sign()).split('.').slice(0, 2);
    expect(secrets.filter((secret) => lines.join('').includes(secret))).toEqual([]);
    issuer.publish(key);
    pass(PAUSE);
    expect(await knockWith(gateway, await key.sign())).toEqual(LET_IN);
  });

  it('and that never responds causes a timeout, which known keys outlive', async () => {
    const pass = stopTheClock();
    const key = await createSigningKey();
    const [knowing, unknowing] = [await startKnowing(key), await start()];
    for (const { issuer } of [knowing, unknowing]) issuer.answer({ hang: true });
    pass(TEN_MINUTES);
    const token = await key.sign();
    const both = [knowing, unknowing].map(({ gateway }) => statusWith(gateway, token));
    expect(await Promise.all(both)).toEqual([200, 503]);
    unknowing.issuer.publish(key);
    pass(PAUSE);
    expect(await knockWith(unknowing.gateway, token)).toEqual(LET_IN);
  });

  it('says when to try again, also to pages, and not where it is; API keys still work', async () => {
    const { close, jwksUrl, port } = await startIssuer([]);
    await close();
    const env = { JWT_JWKS_URL: jwksUrl, ALLOWED_ORIGINS: ORIGIN, API_KEYS: 'ben:key-of-ben' };
    const gateway = await startGuarded(env);
    expect(await knockWith(gateway, 'key-of-ben')).toEqual(LET_IN);
    expect(await knockWith(gateway, 'key-of-nobody')).toEqual(REFUSED);
    expect(await knock(gateway)).toEqual(REFUSED);
    const headers = { authorization: `Bearer ${await (await createSigningKey()).sign()}`, origin: ORIGIN };
    const answer = await graphql(gateway.graphqlUrl, '{ __typename }', {}, headers);
    expect(answer.status).toBe(503);
    const extensions = { code: 'SERVICE_UNAVAILABLE', hint: 'Try again in 5 s.', retryAfter: 5 };
    expect(answer.body).toMatchObject({
      status: 503,
      errors: [{ message: 'Credentials cannot be checked right now.', extensions }],
    });
    const given = { 'retry-after': '5', 'access-control-allow-origin': ORIGIN };
    expect(Object.fromEntries(answer.headers)).toMatchObject(given);
    expect(answer.headers.has('www-authenticate')).toBe(false);
    expect(JSON.stringify(answer.body)).not.toContain(String(port));
  });
});
