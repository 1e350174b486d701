import { describe, expect, it } from 'vitest';
import { TASKS } from '../kit/documents.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { startHeldGateway } from '../websocket/held-gateway.ts';
import { addTask } from '../websocket/stored-tasks.ts';
import { socketEnd, startGuarded } from './knock.ts';

const API_KEYS = 'ada:key-of-ada,ben:key-of-ben';
const ADA = 'Bearer key-of-ada';
const BEN = 'Bearer key-of-ben';

describe('connection_init', () => {
  it.each(['authorization', 'Authorization', 'AUTHORIZATION', 'authorizatioN'])(
    'authenticates by the member %s',
    async (name) => {
      const { graphqlUrl } = await startGuarded({ API_KEYS });
      expect(await socketEnd(graphqlUrl, { connectionParams: { [name]: ADA, other: 1 } })).toBe('open');
    },
  );

  it.each([
    ['the headers of an HTTP request', { headers: { Authorization: ADA } }],
    ['an empty text beside those', { authorization: '', headers: { authorization: ADA } }],
    ['a key without "Bearer"', { authorization: 'key-of-ada' }],
  ])('authenticates by %s', async (_, connectionParams) => {
    const { graphqlUrl } = await startGuarded({ API_KEYS });
    expect(await socketEnd(graphqlUrl, { connectionParams })).toBe('open');
  });

  it('with an empty string falls back to the header of the upgrade', async () => {
    const { graphqlUrl } = await startGuarded({ API_KEYS });
    const how = { headers: { authorization: ADA }, connectionParams: { authorization: ' ' } };
    expect(await socketEnd(graphqlUrl, how)).toBe('open');
  });

  it.each([
    ['nothing', {}, 'No API key or token was sent.'],
    ['an empty text', { authorization: '' }, 'No API key or token was sent.'],
    [
      'another scheme',
      { authorization: 'Basic hush-hush' },
      'Authorization must have the form "Bearer <API key or token>".',
    ],
    ['a wrong key', { authorization: 'Bearer hush-hush' }, 'The API key is unknown.'],
  ])('with %s is refused with a reason that repeats nothing of the credentials', async (_, payload, says) => {
    const { graphqlUrl } = await startGuarded({ API_KEYS });
    const socket = await openGraphqlWs(graphqlUrl, { init: false });
    socket.send({ type: 'connection_init', payload });
    const { code, reason } = await socket.closed;
    expect(code).toBe(4403);
    expect(reason).toBe(`${says} Send {"authorization":"Bearer <key>"} in connection_init.`);
  });

  it.each([
    ['no payload', undefined],
    ['an empty payload', {}],
    ['the key under another name', { token: ADA, apiKey: ADA, 'x-authorization': ADA }],
    ['the key in another member', { auth: { authorization: ADA } }],
    ['a number', { authorization: 1 }],
    ['null', { authorization: null }],
    ['a list', { authorization: [ADA] }],
    ['an object', { authorization: { toString: ADA } }],
    ['an empty text', { authorization: '' }],
    ['a wrong key', { authorization: 'Bearer key-of-nobody' }],
  ])('with %s closes the socket with 4403', async (_, connectionParams) => {
    const { graphqlUrl } = await startGuarded({ API_KEYS });
    expect(await socketEnd(graphqlUrl, { ...(connectionParams && { connectionParams }) })).toBe(4403);
  });

  it('is required before any operation', async () => {
    const { graphqlUrl } = await startGuarded({ API_KEYS });
    const socket = await openGraphqlWs(graphqlUrl, { init: false, headers: { authorization: ADA } });
    socket.subscribe({ query: '{ __typename }' });
    expect(await socket.closed).toMatchObject({ code: 4401 });
  });
});

describe('the header of the upgrade', () => {
  it('authenticates too', async () => {
    const { graphqlUrl } = await startGuarded({ API_KEYS });
    expect(await socketEnd(graphqlUrl, { headers: { authorization: ADA } })).toBe('open');
    expect(await socketEnd(graphqlUrl, { headers: { authorization: ADA }, connectionParams: {} })).toBe(
      'open',
    );
  });

  it('with a wrong key closes the socket with 4403', async () => {
    const { graphqlUrl } = await startGuarded({ API_KEYS });
    expect(await socketEnd(graphqlUrl, { headers: { authorization: 'Bearer nobody' } })).toBe(4403);
  });

  it('is ignored if the payload has credentials', async () => {
    const { gateway, store } = await startHeldGateway({ env: { API_KEYS } });
    for (const owner of ['ada', 'ben']) await addTask(store, { owner, prompt: owner });
    const headers = { authorization: ADA };
    const socket = await openGraphqlWs(gateway.graphqlUrl, {
      headers,
      connectionParams: { authorization: BEN },
    });
    const { tasks } = await socket.subscribe({ query: TASKS }).data();
    expect(tasks.edges.map(({ node }) => node.prompt)).toEqual(['ben']);
    const wrong = { headers, connectionParams: { authorization: 'Bearer nobody' } };
    expect(await socketEnd(gateway.graphqlUrl, wrong)).toBe(4403);
  });
});

describe('a refused socket', () => {
  it('does not count for its owner', async () => {
    const { graphqlUrl } = await startGuarded({ API_KEYS, MAX_SOCKETS_PER_OWNER: '1' });
    for (let time = 0; time < 3; time += 1)
      expect(await socketEnd(graphqlUrl, { connectionParams: { authorization: 'Bearer nobody' } })).toBe(
        4403,
      );
    expect(await socketEnd(graphqlUrl, { connectionParams: { authorization: ADA } })).toBe('open');
  });
});
