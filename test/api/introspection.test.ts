import {
  buildClientSchema,
  getIntrospectionQuery,
  lexicographicSortSchema,
  printSchema,
  type IntrospectionQuery,
} from 'graphql';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';

async function startWithout(): Promise<Gateway> {
  return startGateway({ provider: await startFakeProvider(), env: { INTROSPECTION: 'false' } });
}

describe('introspection', () => {
  it('gives the schema, with its descriptions, as the checked-in file has it', async () => {
    const { graphqlUrl } = await startGateway({ provider: await startFakeProvider() });
    const { body } = await graphql<IntrospectionQuery>(graphqlUrl, getIntrospectionQuery());
    const schema = lexicographicSortSchema(buildClientSchema(dataOf(body)));
    const file = await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8');
    expect(`${printSchema(schema)}\n`).toBe(file);
  });
});

describe('with INTROSPECTION=false', () => {
  it.each([
    ['the whole schema', getIntrospectionQuery()],
    ['one type', '{ __type(name: "Task") { name } }'],
    ['its root, beside an ordinary field', '{ tasks { revision } __schema { description } }'],
  ])('nobody is told of %s', async (_, query) => {
    const { graphqlUrl } = await startWithout();
    const { status, body } = await graphql(graphqlUrl, query);
    expect(status).toBe(400);
    expect(body).not.toHaveProperty('data');
    expect(body.errors?.[0]?.message).toContain('introspection');
  });

  it('nobody is told over a socket either', async () => {
    const socket = await openGraphqlWs((await startWithout()).graphqlUrl);
    const [error] = await socket.subscribe({ query: getIntrospectionQuery() }).errors();
    expect(error?.message).toContain('introspection');
  });

  it('ordinary operations are answered, __typename included', async () => {
    const { graphqlUrl } = await startWithout();
    const { body } = await graphql(graphqlUrl, '{ __typename tasks { revision } }');
    expect(dataOf(body)).toEqual({ __typename: 'Query', tasks: { revision: 0 } });
  });
});
