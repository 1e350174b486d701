import { expect, test } from 'vitest';
import { schema } from '../../src/schema/schema.ts';
import { createDocuments, type Documents } from '../../src/engine/documents.ts';
import { startGateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';

function create(): Documents {
  const limits = { maxDepth: 10, maxAliases: 15, maxDirectives: 5, maxTokens: 1000 };
  return createDocuments({ schema, limits, introspection: true });
}

/** Takes a document as the transports do; returns what stays the same if it is kept. */
function take(
  { parse, validate }: Documents,
  source: string,
): { readonly isValid: boolean; readonly kept: object } {
  const document = parse(source);
  return { isValid: validate(document).length === 0, kept: document };
}

test('a valid document is parsed once', () => {
  const documents = create();
  const first = take(documents, '{ __typename }');
  expect(first.isValid).toBe(true);
  expect(take(documents, '{ __typename }').kept).toBe(first.kept);
});

test.each([
  ['is not valid', '{ nope }'],
  ['is too large', `{ ${Array.from({ length: 16 }, (_, index) => `a${index}: __typename`).join(' ')} }`],
])('a document that %s is not kept', (_, source) => {
  const documents = create();
  const first = take(documents, source);
  expect(first.isValid).toBe(false);
  expect(take(documents, source).kept).not.toBe(first.kept);
});

test('a document that is very long is not kept', () => {
  const documents = create();
  const long = `{ __typename } #${'x'.repeat(16_384)}`;
  expect(take(documents, long).kept).not.toBe(take(documents, long).kept);
});

test.each([
  ['has many characters', ' '.repeat(16_384)],
  ['has many lines', '\n'.repeat(1000)],
])('a document that %s has errors without places: finding those would take long', (_, filler) => {
  const { parse, validate } = create();
  const placesOf = (source: string) => validate(parse(source)).map(({ locations }) => locations);
  expect(placesOf('{ nope }')).toEqual([[{ line: 1, column: 3 }]]);
  expect(placesOf(`${filler}{ nope }`)).toEqual([undefined]);
});

test('documents are kept by their size together: those that were not used for longest give way', () => {
  const documents = create();
  const filler = 'x'.repeat(10_000);
  const { kept } = take(documents, '{ __typename }');
  for (let count = 0; count < 12; count += 1) {
    take(documents, `{ __typename } #${count}${filler}`);
    expect(take(documents, '{ __typename }').kept).toBe(kept);
  }
  for (let count = 0; count < 14; count += 1) take(documents, `{ tasks { revision } } #${count}${filler}`);
  expect(take(documents, '{ __typename }').kept).not.toBe(kept);
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
