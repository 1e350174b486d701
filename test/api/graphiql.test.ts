import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  buildClientSchema,
  getIntrospectionQuery,
  parse,
  printSchema,
  validate,
  type IntrospectionQuery,
} from 'graphql';
import { expect, it } from 'vitest';
import { READY_OPERATIONS } from '../../dashboard/src/graphiql/ready-operations.ts';
import { graphiqlRoute } from '../../src/http/pages.ts';
import { schema } from '../../src/schema/schema.ts';
import { startGateway, temporaryDir } from '../kit/gateway.ts';
import { dataOf, graphql } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created } from '../kit/kie.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { onTestEnd } from '../kit/waits.ts';

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const TITLE = '<title>Kineograph</title>';

async function start(env: Readonly<Record<string, string>> = {}) {
  const provider = await startFakeProvider();
  const { graphqlUrl } = await startGateway({ provider, env });
  const load = async (search = '', accept = BROWSER, method = 'GET') => {
    const response = await fetch(graphqlUrl + search, { method, headers: { accept } });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  return { graphqlUrl, load, provider };
}

/** The page as it is sent from a directory, without a gateway around it. */
async function pageOf(directory: string): Promise<string> {
  const page = await graphiqlRoute(directory, '/graphql');
  const server = createServer((request, response) => {
    void page.handle(request, response, '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestEnd(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return (await fetch(`http://127.0.0.1:${port}`)).text();
}

it('browsers get GraphiQL at the endpoint, and a link with an operation runs nothing; no other client gets it', async () => {
  const { load } = await start();
  const { headers, status, text } = await load();
  expect([status, headers.get('cache-control')]).toEqual([200, 'no-cache']);
  expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(headers.get('vary')).toContain('Accept');
  expect(text).toContain(TITLE);
  for (const search of [
    '?query={__typename}',
    '?query',
    '?query=subscription{tasksUpdated{id}}',
    '?query=mutation{x}',
  ])
    expect((await load(search)).text, search).toContain(TITLE);
  for (const other of [
    await load('', 'application/json'),
    await load('?query={__typename}', 'application/json'),
    await load('', BROWSER, 'POST'),
    await load('', BROWSER, 'DELETE'),
  ])
    expect(other.text).not.toMatch(/<html|<script/i);
});

it('the page needs no credential where the API does, and is not there with GRAPHIQL=false', async () => {
  const env = { API_KEYS: 'ada:0123456789abcdef0123456789abcdef' };
  const { load } = await start(env);
  expect(await load()).toMatchObject({ status: 200 });
  expect(await load('?query={__typename}', '*/*')).toMatchObject({ status: 401 });
  expect(await (await start({ ...env, GRAPHIQL: 'false' })).load()).toMatchObject({ status: 401 });
  const without = await start({ GRAPHIQL: 'false' });
  expect((await without.load()).text).not.toMatch(/<html|<script/i);
  const { body } = await graphql(without.graphqlUrl, '{ tasks { revision } }');
  expect(dataOf(body)).toEqual({ tasks: { revision: 0 } });
});

it('the page is the one that was built, or says how to build it; it names no other host and has no inline script', async () => {
  const directory = await temporaryDir();
  expect(await pageOf(directory)).toContain('npm run build');
  await writeFile(join(directory, 'graphiql.html'), '<!doctype html><title>built</title>');
  expect(await pageOf(directory)).toBe('<!doctype html><title>built</title>');
  const page = await readFile(new URL('../../dashboard/graphiql.html', import.meta.url), 'utf8');
  expect(page).not.toMatch(/(?:https?:)?\/\/[^/]|<style|\bstyle=|\bon[a-z]+=/i);
  expect(page.match(/<script\b[^>]*>/g)).toEqual([expect.stringContaining(' src="./src/graphiql/main.tsx"')]);
});

it('the ready-made operations are valid, use every root field, and the first one creates a task as it is', async () => {
  const documents = READY_OPERATIONS.map(({ query }) => parse(query));
  expect(documents.flatMap((document) => validate(schema, document))).toEqual([]);
  const text = READY_OPERATIONS.map(({ query }) => query).join('\n');
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  for (const name of roots.flatMap((root) => Object.keys(root?.getFields() ?? {})))
    expect(text).toMatch(new RegExp(`\\b${name}\\b`));
  const { graphqlUrl, provider } = await start();
  provider.answer('createTask', created('kie-1'));
  const { body } = await graphql(graphqlUrl, READY_OPERATIONS[0]?.query ?? '');
  expect(dataOf(body)).toMatchObject({ createImageToVideo: { task: { state: 'WAITING' } } });
});

it('introspection gives the schema, with its descriptions, as the checked-in file has it', async () => {
  const { body } = await graphql<IntrospectionQuery>((await start()).graphqlUrl, getIntrospectionQuery());
  const served = buildClientSchema(dataOf(body));
  const file = await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8');
  expect(`${printSchema(served)}\n`).toBe(file);
});

it('INTROSPECTION=false refuses introspection over HTTP and sockets, and nothing else', async () => {
  const { graphqlUrl } = await start({ INTROSPECTION: 'false' });
  const socket = await openGraphqlWs(graphqlUrl);
  for (const query of [
    getIntrospectionQuery(),
    '{ __type(name: "Task") { name } }',
    '{ tasks { revision } __schema { description } }',
  ]) {
    const { body, status } = await graphql(graphqlUrl, query);
    expect(status).toBe(400);
    expect(body).not.toHaveProperty('data');
    const [error] = await socket.subscribe({ query }).errors();
    for (const { message = '' } of [body.errors?.[0] ?? {}, error ?? {}])
      expect(message).toContain('introspection');
  }
  const { body } = await graphql(graphqlUrl, '{ __typename tasks { revision } }');
  expect(dataOf(body)).toEqual({ __typename: 'Query', tasks: { revision: 0 } });
});
