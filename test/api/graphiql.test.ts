import { Kind, parse, validate, type DocumentNode } from 'graphql';
import { describe, expect, it } from 'vitest';
import { schema } from '../../src/schema/schema.ts';
import { startFakeProvider } from '../support/fake-provider.ts';
import { startGateway } from '../support/gateway.ts';
import { graphql } from '../support/graphql-http-client.ts';
import { dataOf } from '../support/graphql-result.ts';
import { created } from '../support/kie.ts';

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

async function load(env: Readonly<Record<string, string>> = {}, accept = BROWSER): Promise<Response> {
  const { graphqlUrl } = await startGateway({ provider: await startFakeProvider(), env });
  return fetch(graphqlUrl, { headers: { accept } });
}

/**
 * What makes a browser fetch from an address with a host, in markup, styles and scripts alike. Addresses in plain text,
 * XML namespaces and links to be clicked are none of it.
 */
const LOADING = new RegExp(
  [
    /<(?:script|link|img|iframe|frame|embed|object|source|audio|video|track|base|input|use|image|form)\b[^<>]{0,500}?\b(?:src|href|data|srcset|poster|action)\s*=\s*\\?["'`]?/,
    /<meta\b[^<>]{0,200}?\burl\s*=\s*/,
    /\burl\(\s*\\?["'`]?/,
    /@import\s+\\?["'`]?/,
    /\b(?:fetch|import|importScripts|require|WebSocket|EventSource|Worker|SharedWorker|sendBeacon|register|open)\s*\(\s*(?:"GET"\s*,\s*|"POST"\s*,\s*|new URL\(\s*)?["'`]/,
    /\bfrom\s*["'`]/,
    /\bimport\s*["'`]/,
    /\.(?:src|href|action)\s*=\s*["'`]/,
    /\b(?:src|srcSet|action)\s*:\s*["'`]/,
  ]
    .map(({ source }) => `(?:${source})(?:(?:https?|wss?):)?//[^/]`)
    .join('|'),
  'gi',
);

/** Every place of a page that fetches from another host. */
function foreignFetches(page: string): string[] {
  return [...page.matchAll(LOADING)].map(({ index }) => page.slice(index, index + 200));
}

/** The operations of the tabs that the page opens with. */
function operationsOf(page: string): string[] {
  const call = page.slice(page.lastIndexOf('renderYogaGraphiQL('));
  const options = call.slice(call.indexOf('{'), call.lastIndexOf('}', call.indexOf('</script>')) + 1);
  const { defaultTabs } = JSON.parse(options) as { defaultTabs: { query: string }[] };
  return defaultTabs.map(({ query }) => query);
}

function rootFieldsOf(document: DocumentNode): string[] {
  return document.definitions
    .filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
    .flatMap(({ selectionSet }) => selectionSet.selections)
    .map((selection) => (selection.kind === Kind.FIELD ? selection.name.value : ''));
}

describe('GraphiQL', () => {
  it('is a page that fetches nothing from any other host', async () => {
    const response = await load();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('text/html');
    const page = await response.text();
    expect(page).toContain('<title>Kineograph</title>');
    expect(foreignFetches(page)).toEqual([]);
    // Whatever the form: the hosts from which such pages are usually put together.
    expect(page).not.toMatch(
      /\b(unpkg\.com|jsdelivr\.net|esm\.sh|cdnjs\.|googleapis\.com|gstatic\.com|skypack\.dev)/,
    );
  });

  it.each([
    '<script crossorigin src="https://cdn.example/react.js"></script>',
    '<script\n type=module src=//cdn.example/a.js>',
    '<link rel="stylesheet" href="https://cdn.example/a.css" />',
    "<img alt='' src='http://cdn.example/a.png'>",
    '.a{background:url(https://cdn.example/a.png)}',
    '@font-face{src:url("//cdn.example/a.woff2")}',
    '@import "https://cdn.example/a.css";',
    'import("https://cdn.example/a.js")',
    'import{a}from"https://cdn.example/a.js"',
    'new Worker(new URL("https://cdn.example/worker.js"))',
    'fetch( `https://cdn.example/telemetry`)',
    'x.open("GET","https://cdn.example/")',
    's.src="https://cdn.example/a.js"',
    'e.jsx("img",{src:"https://cdn.example/logo.svg"})',
  ])('would be caught fetching: %s', (part) => {
    expect(foreignFetches(`<p>text</p>${part}<p>text</p>`)).toHaveLength(1);
  });

  it.each([
    '<svg xmlns="http://www.w3.org/2000/svg">',
    '<a href="https://graphql.org/learn">',
    'url(data:font/woff2;base64,d09GMg//x)',
    '// see https://github.com/graphql/graphiql',
    'fetch("/graphql")',
  ])('may contain: %s', (part) => {
    expect(foreignFetches(part)).toEqual([]);
  });

  it('opens with ready-made operations, each of which is valid as it stands', async () => {
    const documents = operationsOf(await (await load()).text()).map((operation) => parse(operation));
    for (const document of documents) expect(validate(schema, document)).toEqual([]);
    expect(documents.flatMap(rootFieldsOf)).toEqual(
      expect.arrayContaining([
        'createImageToVideo',
        'task',
        'tasks',
        'taskUpdated',
        'tasksUpdated',
        'account',
        'cancelTask',
      ]),
    );
  });

  it('opens with a mutation that makes a task without any change', async () => {
    const provider = await startFakeProvider();
    const { graphqlUrl } = await startGateway({ provider });
    const page = await (await fetch(graphqlUrl, { headers: { accept: BROWSER } })).text();
    const [mutation = ''] = operationsOf(page);
    provider.answer('createTask', created('kie-1'));
    const { body } = await graphql(graphqlUrl, mutation);
    expect(dataOf(body)).toMatchObject({
      createImageToVideo: { __typename: 'CreateImageToVideoSuccess', task: { state: 'WAITING' } },
    });
  });

  it('is only for browsers: who asks for JSON gets no page', async () => {
    const response = await load({}, 'application/json');
    expect(response.headers.get('content-type')).toContain('application/json');
    await response.body?.cancel();
  });

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
});
