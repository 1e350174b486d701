import { expect, test } from 'vitest';
import { CREATE, input } from '../kit/documents.ts';
import { startAttacked } from './bystander.ts';

const VARIABLES = { input: input() };
const CREATION = JSON.stringify({ query: CREATE, variables: VARIABLES });
const SEARCH = new URLSearchParams({ query: CREATE, variables: JSON.stringify(VARIABLES) }).toString();
const ACCEPTS = ['application/graphql-response+json', 'application/json', 'text/event-stream'];

/** How a page of another site, or a careless client, might try to have a task made. */
const TRIES: readonly {
  readonly what: string;
  readonly status: number;
  readonly request: RequestInit;
  readonly search?: string;
}[] = [
  { what: 'urlencoded', status: 415, request: { method: 'POST', body: new URLSearchParams(SEARCH) } },
  { what: 'as plain text', status: 415, request: { method: 'POST', body: CREATION } },
  { what: 'as multipart', status: 415, request: { method: 'POST', body: multipart() } },
  { what: 'of no type', status: 415, request: { method: 'POST', body: Buffer.from(CREATION) } },
  { what: 'of no type, as chunks', status: 415, request: { method: 'POST', body: new Blob([CREATION]) } },
  { what: 'as a batch', status: 400, request: post(`[${CREATION},${CREATION}]`) },
  { what: 'as a batch of hundreds', status: 400, request: post(`[${'{},'.repeat(500)}${CREATION}]`) },
  { what: 'by GET', status: 405, request: { method: 'GET' }, search: SEARCH },
  {
    what: 'by GET that says that it is a POST',
    status: 405,
    request: { method: 'GET', headers: { 'x-http-method-override': 'POST', 'x-http-method': 'POST' } },
    search: SEARCH,
  },
  { what: 'by the address of an empty POST', status: 415, request: { method: 'POST' }, search: SEARCH },
];

function post(body: string): RequestInit {
  return { method: 'POST', body, headers: { 'content-type': 'application/json' } };
}

function multipart(): FormData {
  const form = new FormData();
  form.append('operations', CREATION);
  form.append('map', '{}');
  return form;
}

test.each(TRIES)(
  'a mutation that comes $what is refused and makes no task',
  async ({ request, search, status }) => {
    const { gateway, provider, withstands } = await startAttacked();
    const url = search === undefined ? gateway.graphqlUrl : `${gateway.graphqlUrl}?${search}`;
    for (const accept of ACCEPTS) {
      const headers = { ...(request.headers as Record<string, string>), accept };
      const answer = await withstands(() => fetch(url, { ...request, headers }));
      expect([accept, answer.status]).toEqual([accept, status]);
      await answer.text();
    }
    expect(provider.requests()).toEqual([]);
  },
);
