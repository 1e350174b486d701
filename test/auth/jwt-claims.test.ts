import { describe, expect, it } from 'vitest';
import { TASKS } from '../kit/documents.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { startHeldGateway } from '../websocket/held-gateway.ts';
import { addTask } from '../websocket/stored-tasks.ts';
import { LET_IN, REFUSED, knockWith, startGuarded } from './knock.ts';
import { SECRET, claims, inSeconds, signWith, type Claims } from './tokens.ts';

const JWT_ISSUER = 'https://login.example.com/';
const JWT_AUDIENCE = 'kineograph';

async function meets(content: Claims, env: Readonly<Record<string, string>> = {}) {
  const gateway = await startGuarded({ JWT_SECRET: SECRET, ...env });
  return knockWith(gateway, await signWith(SECRET, content));
}

describe('the claim sub', () => {
  it.each([
    'ada',
    'auth0|5f7c8ec7c33c6c004bbafe82',
    'Ada Lovelace',
    'ädä@example.com',
    '小明',
    '0',
    'x'.repeat(255),
  ])('is the owner: %s', async (sub) => {
    const { gateway, store } = await startHeldGateway({ env: { JWT_SECRET: SECRET } });
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
  ])('is refused when it %s', async (_, sub) => {
    expect(await meets(claims({ sub }))).toEqual(REFUSED);
  });
});

describe('the claim exp', () => {
  it.each([
    ['an hour ahead', () => inSeconds(3600), LET_IN],
    ['a century ahead', () => inSeconds(100 * 365 * 86_400), LET_IN],
    ['two seconds ago, since clocks differ', () => inSeconds(-2), { http: 200 }],
    ['six seconds ago', () => inSeconds(-6), REFUSED],
    ['in the year 1970', () => 1, REFUSED],
    ['missing', () => undefined, REFUSED],
    ['null', () => null, REFUSED],
    ['a text', () => String(Math.ceil(inSeconds(3600))), REFUSED],
  ])('%s', async (_, exp, expected) => {
    expect(await meets(claims({ exp: exp() }))).toMatchObject(expected);
  });
});

describe('the claim nbf', () => {
  it.each([
    ['an hour ago', () => inSeconds(-3600), LET_IN],
    ['three seconds ahead, since clocks differ', () => inSeconds(3), LET_IN],
    ['a minute ahead', () => inSeconds(60), REFUSED],
    ['a text', () => 'tomorrow', REFUSED],
  ])('%s', async (_, nbf, expected) => {
    expect(await meets(claims({ nbf: nbf() }))).toEqual(expected);
  });
});

describe('the claim iss', () => {
  it.each([
    ['the configured one', JWT_ISSUER, LET_IN],
    ['another one', 'https://login.example.org/', REFUSED],
    ['the configured one without its slash', 'https://login.example.com', REFUSED],
    ['a list with the configured one', [JWT_ISSUER], REFUSED],
    ['missing', undefined, REFUSED],
  ])('must match JWT_ISSUER if it is set: %s', async (_, iss, expected) => {
    expect(await meets(claims({ iss }), { JWT_ISSUER })).toEqual(expected);
  });
});

describe('the claim aud', () => {
  it.each([
    ['the configured one', JWT_AUDIENCE, LET_IN],
    ['a list with the configured one', ['other', JWT_AUDIENCE], LET_IN],
    ['another one', 'other', REFUSED],
    ['a text that holds the configured one', `${JWT_AUDIENCE} other`, REFUSED],
    ['a list of others', ['other', 'kineographs'], REFUSED],
    ['an empty list', [], REFUSED],
    ['missing', undefined, REFUSED],
  ])('must contain JWT_AUDIENCE if it is set: %s', async (_, aud, expected) => {
    expect(await meets(claims({ aud }), { JWT_AUDIENCE })).toEqual(expected);
  });
});

describe('without JWT_ISSUER and JWT_AUDIENCE', () => {
  it('iss and aud are ignored', async () => {
    expect(await meets(claims({ iss: 'anyone', aud: ['anything'] }))).toEqual(LET_IN);
  });
});

describe('the response to a refused token', () => {
  it('says if it has expired', async () => {
    const gateway = await startGuarded({ JWT_SECRET: SECRET });
    const ask = async (content: Claims) => {
      const headers = { authorization: `Bearer ${await signWith(SECRET, content)}` };
      const { body } = await graphql(gateway.graphqlUrl, '{ __typename }', {}, headers);
      return body.errors?.[0];
    };
    const code = 'UNAUTHENTICATED';
    expect(await ask(claims({ exp: 1 }))).toEqual({
      message: 'The token has expired.',
      extensions: { code, hint: 'Get a new token.' },
    });
    expect(await ask(claims({ nbf: inSeconds(60) }))).toEqual({
      message: 'The token is invalid.',
      extensions: { code, hint: 'Use a token that the issuer signed for this gateway.' },
    });
  });
});
