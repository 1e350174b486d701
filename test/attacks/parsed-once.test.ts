import { parse } from 'graphql';
import { expect, test } from 'vitest';
import { parsedOnce } from '../../src/server/parsed-once.ts';
import { startGateway } from '../support/gateway.ts';
import { openGraphqlWs } from '../support/graphql-ws-client.ts';

test('what was parsed is kept for operations of a usual length only', () => {
  const { documentCache } = parsedOnce();
  const short = '{ __typename }';
  const long = `${short} #${'x'.repeat(200_000)}`;
  const document = parse(short);
  for (const source of [short, long]) documentCache.set(source, document);
  expect(documentCache.get(short)).toBe(document);
  expect(documentCache.get(long)).toBeUndefined();
});

test('a syntax error is told over HTTP as ever, whatever was sent over a socket before', async () => {
  const { graphqlUrl } = await startGateway();
  const query = '{ no such thing ((';
  const ask = async () => {
    const response = await fetch(graphqlUrl, {
      method: 'POST',
      headers: { accept: 'application/graphql-response+json', 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    return { status: response.status, body: await response.text() };
  };
  const client = await openGraphqlWs(graphqlUrl);
  expect(await client.subscribe({ query }).errors()).toHaveLength(1);
  const first = await ask();
  expect(first).toMatchObject({
    status: 400,
    body: expect.stringContaining('GRAPHQL_PARSE_FAILED') as string,
  });
  expect(await ask()).toEqual(first);
});
