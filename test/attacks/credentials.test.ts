import { SignJWT, UnsecuredJWT } from 'jose';
import { expect, test } from 'vitest';
import { GraphqlWsClosedError, openGraphqlWs } from '../kit/graphql-ws.ts';
import { startAttacked } from './bystander.ts';
import { DOORS } from './doors.ts';

const SECRET = 'a-secret-of-the-tests-with-more-than-32-characters';
const KEY = 'key-of-ada-with-enough-characters';
const ENV = { JWT_SECRET: SECRET, JWT_ISSUER: 'issuer', JWT_AUDIENCE: 'kineograph', API_KEYS: `ada:${KEY}` };

interface Claims {
  readonly secret?: string;
  readonly issuer?: string;
  readonly audience?: string;
  readonly expires?: string;
}

function tokenOf({
  audience = 'kineograph',
  expires = '1h',
  issuer = 'issuer',
  secret = SECRET,
}: Claims = {}) {
  return new SignJWT({ sub: 'ada' })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setExpirationTime(expires)
    .sign(new TextEncoder().encode(secret));
}

function unsigned(): string {
  return new UnsecuredJWT({ sub: 'ada' })
    .setIssuer('issuer')
    .setAudience('kineograph')
    .setExpirationTime('1h')
    .encode();
}

/** The claims of another owner under the signature of a right token. */
async function withOtherClaims(): Promise<string> {
  const [head, , signature] = (await tokenOf()).split('.');
  const claims = { sub: 'ben', iss: 'issuer', aud: 'kineograph', exp: 9_999_999_999 };
  return [head, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
}

const FORGED: readonly (readonly [what: string, authorization: () => string | Promise<string>])[] = [
  ['no proof at all', () => ''],
  ['an unknown key', () => 'Bearer nobody'],
  ['a key that begins right', () => `Bearer ${KEY}x`],
  ['the start of a key', () => `Bearer ${KEY.slice(0, -1)}`],
  ['the key by another scheme', () => `Basic ${KEY}`],
  ['a token of another secret', async () => `Bearer ${await tokenOf({ secret: `${SECRET}!` })}`],
  ['a token of the algorithm none', () => `Bearer ${unsigned()}`],
  ['a token with changed claims', async () => `Bearer ${await withOtherClaims()}`],
  ['an expired token', async () => `Bearer ${await tokenOf({ expires: '-1h' })}`],
  ['a token for somebody else', async () => `Bearer ${await tokenOf({ audience: 'another' })}`],
  ['a token of another issuer', async () => `Bearer ${await tokenOf({ issuer: 'another' })}`],
];

test.each(FORGED)('%s opens no door, and is not repeated', async (_, authorization) => {
  const proof = await authorization();
  const { gateway, withstands } = await startAttacked({
    env: ENV,
    owner: 'ada',
    authorization: `Bearer ${KEY}`,
  });
  for (const door of DOORS.filter(({ isHttp }) => isHttp)) {
    const headers = proof === '' ? {} : { authorization: proof };
    const told = await withstands(() => door.send(gateway.graphqlUrl, { query: '{ __typename }' }, headers));
    expect([door.name, told.status, told.data]).toEqual([door.name, 401, undefined]);
    expect(told.errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
    if (proof !== '') expect(told.text).not.toContain(proof.split(' ')[1]);
  }
  for (const options of [
    { connectionParams: { authorization: proof } },
    { headers: { authorization: proof } },
  ]) {
    const opening = withstands(() => openGraphqlWs(gateway.graphqlUrl, options));
    const error = await opening.catch((reason: unknown) => reason);
    if (!(error instanceof GraphqlWsClosedError)) throw new Error('the socket was opened', { cause: error });
    expect(error.code).toBe(4403);
    expect(Buffer.byteLength(error.reason)).toBeLessThanOrEqual(123);
    if (proof !== '') expect(error.reason).not.toContain(proof.split(' ')[1]);
  }
});

test('the same key and the same token, when they are right, open every door', async () => {
  const { gateway, withstands } = await startAttacked({
    env: ENV,
    owner: 'ada',
    authorization: `Bearer ${KEY}`,
  });
  for (const authorization of [`Bearer ${KEY}`, `Bearer ${await tokenOf()}`])
    for (const door of DOORS) {
      const query = { query: '{ __typename }' };
      const { data } = await withstands(() => door.send(gateway.graphqlUrl, query, { authorization }));
      expect([door.name, data]).toEqual([door.name, { __typename: 'Query' }]);
    }
});
