import { describe, expect, it } from 'vitest';
import { createLog } from '../../src/log/log.ts';
import { graphql } from '../kit/graphql.ts';
import type { Answer } from '../kit/provider.ts';
import { startIssuer } from './issuer.ts';
import { LATER, LET_IN, REFUSED, knock, knockWith, startGuarded } from './knock.ts';
import { createMovableClock } from './passing-time.ts';
import { createSigningKey } from './tokens.ts';

const ORIGIN = 'https://app.example.com';
/** How long an issuer that failed is not asked again, in ms. */
const PAUSE = 1000;

/** A gateway that takes tokens of an issuer, and its clock. */
async function startWithClock(jwksUrl: string) {
  const clock = createMovableClock();
  const log = createLines();
  const gateway = await startGuarded({ JWT_JWKS_URL: jwksUrl }, { overrides: { clock }, log: log.log });
  return { clock, gateway, lines: log.lines };
}

function createLines() {
  const lines: string[] = [];
  return {
    lines,
    log: createLog({ level: 'warn', pretty: false }, { write: (line) => void lines.push(line) }),
  };
}

describe('an issuer whose keys were never loaded', () => {
  it('that is unreachable makes tokens unverifiable until it is back', async () => {
    const key = await createSigningKey();
    const { close, jwksUrl, port } = await startIssuer([]);
    await close();
    const { clock, gateway } = await startWithClock(jwksUrl);
    expect(await knockWith(gateway, await key.sign())).toEqual(LATER);
    await startIssuer([key], { port });
    clock.forward(PAUSE);
    expect(await knockWith(gateway, await key.sign())).toEqual(LET_IN);
  });

  it.each<[string, Answer]>([
    ['it has trouble', { status: 500, body: 'oops' }],
    ['there is nothing at its address', { status: 404, body: { keys: [] } }],
    ['it answers with a page', { headers: { 'content-type': 'text/html' }, body: '<html>' }],
    ['it answers with nothing', { body: '' }],
    ['it answers with something that holds no keys', { body: { error: 'no' } }],
    ['its keys are no list', { body: { keys: 'none' } }],
    ['it cuts the connection', { reset: true }],
    ['it stops in the middle of its keys', { body: { keys: [] }, cutBodyAfterBytes: 5 }],
  ])('makes tokens unverifiable because %s, until it returns keys', async (_, answer) => {
    const key = await createSigningKey();
    const issuer = await startIssuer([]);
    issuer.answer(answer);
    const { clock, gateway } = await startWithClock(issuer.jwksUrl);
    expect(await knockWith(gateway, await key.sign())).toEqual(LATER);
    issuer.publish(key);
    clock.forward(PAUSE);
    expect(await knockWith(gateway, await key.sign())).toEqual(LET_IN);
  });

  it('that never responds causes a timeout', async () => {
    const key = await createSigningKey();
    const issuer = await startIssuer([]);
    issuer.answer({ hang: true });
    const { clock, gateway } = await startWithClock(issuer.jwksUrl);
    const headers = { authorization: `Bearer ${await key.sign()}` };
    const { status } = await graphql(gateway.graphqlUrl, '{ __typename }', {}, headers);
    expect(status).toBe(503);
    issuer.publish(key);
    clock.forward(PAUSE);
    expect(await knockWith(gateway, await key.sign())).toEqual(LET_IN);
  });

  it('is not queried for each of many forged tokens, and each failure logs one short line', async () => {
    const issuer = await startIssuer([]);
    issuer.answer({ status: 500, body: 'oops' });
    const { gateway, lines } = await startWithClock(issuer.jwksUrl);
    const keys = await Promise.all(Array.from({ length: 20 }, () => createSigningKey()));
    for (const key of keys) expect(await knockWith(gateway, await key.sign())).toEqual(LATER);
    // Once in a second, however many of the sixty requests come in it.
    expect(issuer.requests()).toBeLessThan(20);
    expect(lines).toHaveLength(issuer.requests());
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ reason: 'status 500 instead of 200' });
    expect(lines[0]?.length).toBeLessThan(300);
  });

  it.each([301, 302, 307, 308])('is not followed through a redirect with %d', async (status) => {
    const key = await createSigningKey();
    const elsewhere = await startIssuer([key]);
    const issuer = await startIssuer([]);
    issuer.answer({ status, headers: { location: elsewhere.jwksUrl } });
    const gateway = await startGuarded({ JWT_JWKS_URL: issuer.jwksUrl });
    expect(await knockWith(gateway, await key.sign())).toEqual(LATER);
    expect(elsewhere.requests()).toBe(0);
  });

  it('does not affect API keys, nor requests without credentials', async () => {
    const { close, jwksUrl } = await startIssuer([]);
    await close();
    const gateway = await startGuarded({ JWT_JWKS_URL: jwksUrl, API_KEYS: 'ben:key-of-ben' });
    expect(await knockWith(gateway, 'key-of-ben')).toEqual(LET_IN);
    expect(await knockWith(gateway, 'key-of-nobody')).toEqual(REFUSED);
    expect(await knock(gateway)).toEqual(REFUSED);
  });

  it('causes a response with Retry-After and CORS headers, and without the URL of the issuer', async () => {
    const { close, jwksUrl, port } = await startIssuer([]);
    await close();
    const gateway = await startGuarded({ JWT_JWKS_URL: jwksUrl, ALLOWED_ORIGINS: ORIGIN });
    const headers = { authorization: `Bearer ${await (await createSigningKey()).sign()}`, origin: ORIGIN };
    const answer = await graphql(gateway.graphqlUrl, '{ __typename }', {}, headers);
    expect(answer.status).toBe(503);
    expect(answer.body).toMatchObject({
      status: 503,
      errors: [
        {
          message: 'Who you are cannot be checked right now.',
          extensions: { code: 'SERVICE_UNAVAILABLE', hint: 'Try again in 5 s.', retryAfter: 5 },
        },
      ],
    });
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'retry-after': '5',
      'access-control-allow-origin': ORIGIN,
    });
    expect(answer.headers.has('www-authenticate')).toBe(false);
    expect(JSON.stringify(answer.body)).not.toContain(String(port));
  });
});
