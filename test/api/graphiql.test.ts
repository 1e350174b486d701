import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Kind, parse, validate, type DocumentNode } from 'graphql';
import { describe, expect, it } from 'vitest';
import { READY_OPERATIONS } from '../../dashboard/src/graphiql/ready-operations.ts';
import { schema } from '../../src/schema/schema.ts';
import { graphiqlRoute } from '../../src/http/pages.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, temporaryDir } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { created } from '../kit/kie.ts';
import { onTestEnd } from '../kit/waits.ts';

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

async function load(
  options: {
    readonly env?: Readonly<Record<string, string>>;
    readonly accept?: string;
    readonly method?: string;
    readonly search?: string;
  } = {},
): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string }> {
  const { accept = BROWSER, env = {}, method = 'GET', search = '' } = options;
  const { graphqlUrl } = await startGateway({ provider: await startFakeProvider(), env });
  const response = await fetch(graphqlUrl + search, { method, headers: { accept } });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** The page as it is sent from a directory, without a gateway around it. */
async function pageOf(directory: string): Promise<string> {
  const page = await graphiqlRoute(directory, '/graphql');
  const server = createServer((request, response) => {
    void page.handle(request, response, '');
  }).listen(0, '127.0.0.1');
  onTestEnd(() => {
    server.close();
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return (await fetch(`http://127.0.0.1:${port}`)).text();
}

function rootFieldsOf(document: DocumentNode): string[] {
  return document.definitions
    .filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
    .flatMap(({ selectionSet }) => selectionSet.selections)
    .map((selection) => (selection.kind === Kind.FIELD ? selection.name.value : ''));
}

describe("GraphiQL's page", () => {
  it('is asked for by browsers, and asked for again whenever it is needed', async () => {
    const { headers, status, text } = await load();
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(headers.get('cache-control')).toBe('no-cache');
    // The same address has other answers for other clients.
    expect(headers.get('vary')).toContain('Accept');
    expect(text).toContain('<title>Kineograph</title>');
  });

  it.each([
    ['who asks for JSON', { accept: 'application/json' }],
    ['who asks for JSON of an operation', { accept: 'application/json', search: '?query={__typename}' }],
    ['who posts', { method: 'POST' }],
    ['who deletes', { method: 'DELETE' }],
  ])('is not for those %s', async (_, request) => {
    const { headers, text } = await load(request);
    expect(headers.get('content-type') ?? '').not.toContain('html');
    expect(text).not.toMatch(/<html|<script/i);
  });

  it.each(['?query={__typename}', '?query', '?query=subscription{tasksUpdated{id}}', '?query=mutation{x}'])(
    'is what a browser gets for a link with the operation %s, and nothing runs',
    async (search) => {
      const { status, text } = await load({ search });
      expect(status).toBe(200);
      expect(text).toContain('<title>Kineograph</title>');
    },
  );

  it('is not there with GRAPHIQL=false, while the API is', async () => {
    const { graphqlUrl } = await startGateway({
      provider: await startFakeProvider(),
      env: { GRAPHIQL: 'false' },
    });
    const response = await fetch(graphqlUrl, { headers: { accept: BROWSER } });
    expect(response.headers.get('content-type') ?? '').not.toContain('html');
    expect(await response.text()).not.toMatch(/<html|<script/i);
    const { body } = await graphql(graphqlUrl, '{ tasks { revision } }');
    expect(dataOf(body)).toEqual({ tasks: { revision: 0 } });
  });

  it('is for everybody where callers have to say who they are, and nothing else is', async () => {
    const env = { API_KEYS: 'ada:0123456789abcdef0123456789abcdef' };
    expect(await load({ env })).toMatchObject({ status: 200 });
    expect(await load({ env, accept: '*/*', search: '?query={__typename}' })).toMatchObject({ status: 401 });
    expect(await load({ env: { ...env, GRAPHIQL: 'false' } })).toMatchObject({ status: 401 });
  });

  it('says how to build it where it was not built', async () => {
    expect(await pageOf(await temporaryDir())).toContain('npm run build');
  });

  it('is what was built', async () => {
    const directory = await temporaryDir();
    await writeFile(join(directory, 'graphiql.html'), '<!doctype html><title>built</title>');
    expect(await pageOf(directory)).toBe('<!doctype html><title>built</title>');
  });

  it('names no other host, and holds no script of its own', async () => {
    const page = await readFile(new URL('../../dashboard/graphiql.html', import.meta.url), 'utf8');
    expect(page).not.toMatch(/(?:https?:)?\/\/[^/]/);
    expect(page.match(/<script\b[^>]*>/g)).toEqual([
      expect.stringContaining(' src="./src/graphiql/main.tsx"'),
    ]);
    expect(page).not.toMatch(/<style|\bstyle=|\bon[a-z]+=/i);
  });
});

describe('the ready-made operations', () => {
  const documents = READY_OPERATIONS.map(({ query }) => parse(query));

  it.each(documents)('are valid as they stand: %#', (document) => {
    expect(validate(schema, document)).toEqual([]);
  });

  it('show all that can be done', () => {
    expect(documents.flatMap(rootFieldsOf)).toEqual([
      'createImageToVideo',
      'taskUpdated',
      'task',
      'tasks',
      'account',
      'tasksUpdated',
      'cancelTask',
    ]);
  });

  it('begin with a mutation that makes a task without any change', async () => {
    const provider = await startFakeProvider();
    const { graphqlUrl } = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'));
    const { body } = await graphql(graphqlUrl, READY_OPERATIONS[0]?.query ?? '');
    expect(dataOf(body)).toMatchObject({
      createImageToVideo: { __typename: 'CreateImageToVideoSuccess', task: { state: 'WAITING' } },
    });
  });
});
