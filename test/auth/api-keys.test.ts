import { describe, expect, it } from 'vitest';
import { TASKS } from '../kit/documents.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { startHeldGateway } from '../websocket/held-gateway.ts';
import { addTask } from '../websocket/stored-tasks.ts';
import { LET_IN, REFUSED, knock, knockWith, startGuarded } from './knock.ts';

const ADA = 'key-of-ada-0123456789';
const ADAS_OTHER = 'another-key-of-ada';
const BEN = 'key:of.ben';
const API_KEYS = `ada:${ADA},ada:${ADAS_OTHER},ben:${BEN}`;
const ORIGIN = 'https://app.example.com';

describe('an API key', () => {
  it('authenticates its owner on every transport', async () => {
    const gateway = await startGuarded({ API_KEYS });
    for (const key of [ADA, ADAS_OTHER, BEN]) expect(await knockWith(gateway, key)).toEqual(LET_IN);
  });

  it.each([
    ['ada', ADA],
    ['ada', ADAS_OTHER],
    ['ben', BEN],
  ])('shows the tasks of its owner, %s, and of nobody else: %s', async (owner, key) => {
    const { gateway, store } = await startHeldGateway({ env: { API_KEYS } });
    for (const name of ['ada', 'ben', 'anonymous']) await addTask(store, { owner: name, prompt: name });
    const headers = { authorization: `Bearer ${key}` };
    const { tasks } = dataOf((await graphql(gateway.graphqlUrl, TASKS, {}, headers)).body);
    expect(tasks.edges.map(({ node }) => node.prompt)).toEqual([owner]);
  });

  it.each([
    ['is another one', 'key-of-nobody-at-all'],
    ['lacks its last character', ADA.slice(0, -1)],
    ['has one character more', `${ADA}0`],
    ['has another last character', `${ADA.slice(0, -1)}8`],
    ['is in capitals', ADA.toUpperCase()],
    ['comes with its owner', `ada:${ADA}`],
    ['is two keys at once', `${ADA},${ADAS_OTHER}`],
    ['is two words', `${ADA} ${ADAS_OTHER}`],
    ['is empty', ''],
    ['is a space', ' '],
  ])('that %s is refused on every transport', async (_, key) => {
    const gateway = await startGuarded({ API_KEYS });
    expect(await knockWith(gateway, key)).toEqual(REFUSED);
  });
});

describe('the scheme of Authorization', () => {
  it.each(['Bearer', 'bearer', 'BEARER', 'bEaReR'])('may be written %s', async (scheme) => {
    const gateway = await startGuarded({ API_KEYS });
    expect(await knock(gateway, `${scheme} ${ADA}`)).toEqual(LET_IN);
    expect(await knock(gateway, `${scheme}   ${ADA} `)).toEqual(LET_IN);
  });

  it('may be omitted', async () => {
    const gateway = await startGuarded({ API_KEYS });
    expect(await knock(gateway, ADA)).toEqual(LET_IN);
  });

  it.each([
    ['is another one', `Basic ${ADA}`],
    ['is glued to the key', `Bearer${ADA}`],
    ['stands alone', 'Bearer'],
    ['stands behind another word', `x Bearer ${ADA}`],
  ])('is required in this form: it %s', async (_, authorization) => {
    const gateway = await startGuarded({ API_KEYS });
    expect(await knock(gateway, authorization)).toEqual(REFUSED);
  });

  it('does not make a missing credential valid', async () => {
    expect(await knock(await startGuarded({ API_KEYS }))).toEqual(REFUSED);
  });
});

describe('a 401 response', () => {
  it.each([
    ['a wrong key', { authorization: 'Bearer key-of-nobody' }],
    ['no key', {}],
  ])('to %s has code UNAUTHENTICATED, a hint, and CORS headers for an allowed page', async (_, given) => {
    const gateway = await startGuarded({ API_KEYS, ALLOWED_ORIGINS: ORIGIN });
    const headers = { ...given, origin: ORIGIN };
    const answer = await graphql(gateway.graphqlUrl, '{ __typename }', {}, headers);
    expect(answer.status).toBe(401);
    expect(answer.body).toMatchObject({
      status: 401,
      errors: [
        {
          message: expect.not.stringContaining('Send') as string,
          extensions: {
            code: 'UNAUTHENTICATED',
            hint: expect.stringContaining('Authorization: Bearer') as string,
          },
        },
      ],
    });
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(answer.headers.get('content-type')).toMatch(/^application\/graphql-response\+json/);
    expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(answer.headers.get('vary')).toContain('Origin');
  });

  it('never contains the given key', async () => {
    const gateway = await startGuarded({ API_KEYS });
    const { body } = await graphql(
      gateway.graphqlUrl,
      '{ __typename }',
      {},
      { authorization: `Bearer ${ADA}9` },
    );
    expect(JSON.stringify(body)).not.toContain(ADA);
  });

  it.each(['', 'no JSON', '{"query":"{"}'])('is sent before the body is read: %j', async (body) => {
    const gateway = await startGuarded({ API_KEYS });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(gateway.graphqlUrl, { method: 'POST', headers, body });
    expect(answer.status).toBe(401);
    expect(await answer.text()).toContain('UNAUTHENTICATED');
  });

  it('is not sent for the browser page or a CORS preflight', async () => {
    const gateway = await startGuarded({ API_KEYS, ALLOWED_ORIGINS: ORIGIN });
    const page = await fetch(gateway.graphqlUrl, { headers: { accept: 'text/html' } });
    expect(await page.text()).toMatch(/^\s*<!doctype html>/);
    const asked = await fetch(gateway.graphqlUrl, {
      method: 'OPTIONS',
      headers: { origin: ORIGIN, 'access-control-request-method': 'POST' },
    });
    expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([204, ORIGIN]);
  });

  it('is sent for a GET query that a browser opens', async () => {
    const gateway = await startGuarded({ API_KEYS, GRAPHIQL: 'false' });
    const address = `${gateway.graphqlUrl}?query={__typename}`;
    const answer = await fetch(address, { headers: { accept: 'text/html' } });
    expect(answer.status).toBe(401);
    expect(await answer.text()).toContain('UNAUTHENTICATED');
  });
});
