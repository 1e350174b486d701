import { expect, test } from 'vitest';
import { plainRequest } from '../../src/server/plain-request.ts';

const JSON_TYPE = 'application/json';
const NEW = 'application/graphql-response+json';

/** What is answered with when it is plain; null when it is not. */
function answeredWith(body: string, headers: Readonly<Record<string, string>> = {}, more: object = {}) {
  const request = { method: 'POST', url: '/graphql', headers, body: Buffer.from(body), ...more };
  return plainRequest(request)?.mediaType ?? null;
}

const BODY = '{"query":"{ __typename }"}';

test.each([
  [{}, JSON_TYPE],
  [{ accept: '*/*' }, JSON_TYPE],
  [{ accept: 'application/json' }, JSON_TYPE],
  [{ accept: NEW, origin: 'https://a.example' }, NEW],
  [{ accept: `${NEW}, application/json` }, NEW],
])('a request with %o is plain', (headers, type) => {
  expect(answeredWith(BODY, headers)).toBe(type);
  const full = '{"query":"query A { a }","variables":{"b":1},"operationName":"A"}';
  expect(answeredWith(full, headers)).toBe(type);
});

test.each([
  ['an event stream', BODY, { accept: 'text/event-stream' }, {}],
  ['several types', BODY, { accept: `text/event-stream, ${JSON_TYPE}` }, {}],
  ['another method', BODY, {}, { method: 'GET' }],
  ['another address', BODY, {}, { url: '/graphql?x=/health' }],
  ['no body', BODY, {}, { body: undefined }],
  ['a batch', `[${BODY}]`, {}, {}],
  ['broken JSON', '{"query":', {}, {}],
  ['another member', '{"query":"{ a }","extensions":{}}', {}, {}],
  ['no operation', '{"variables":{}}', {}, {}],
  ['variables that are none', '{"query":"{ a }","variables":[]}', {}, {}],
  ['a name that is none', '{"query":"{ a }","operationName":1}', {}, {}],
  ['questions beforehand', BODY, { 'access-control-request-method': 'POST' }, {}],
])('a request with %s is not', (_, body, headers, more) => {
  expect(answeredWith(body, headers as Record<string, string>, more)).toBeNull();
});
