import { expect, test } from 'vitest';
import { startFakeProvider } from '../kit/provider.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { startTinyApi } from './tiny-api.ts';

test('an operation gives status, headers and result', async () => {
  const api = await startTinyApi();
  const query = 'query ($word: String!) { echo(word: $word) }';

  const { status, headers, body } = await graphql(api.url, query, { word: 'hello' });

  expect(status).toBe(200);
  expect(headers.get('content-type')).toContain('application/graphql-response+json');
  expect(dataOf(body)).toEqual({ echo: 'hello' });
});

test('a refused operation gives its status and errors', async () => {
  const api = await startTinyApi();

  const { status, body } = await graphql(api.url, '{ nothing }');

  expect(status).toBe(400);
  expect(body.errors?.[0]?.message).toContain('nothing');
  expect(() => dataOf(body)).toThrow(/The result has errors: .*nothing/);
});

test('headers of the test are sent', async () => {
  const api = await startFakeProvider();
  api.answer('createTask', { body: { data: {} } });

  await graphql(`${api.url}/api/v1/jobs/createTask`, '{ a }', {}, { authorization: 'Bearer key' });

  const { headers, body } = await api.received('createTask');
  expect(headers.authorization).toBe('Bearer key');
  expect(body).toEqual({ query: '{ a }', variables: {} });
});

test('an answer that is no JSON is named', async () => {
  const api = await startFakeProvider();
  api.answer('createTask', { status: 502, body: '<h1>Bad gateway</h1>' });

  await expect(graphql(`${api.url}/api/v1/jobs/createTask`, '{ a }')).rejects.toThrow(
    'The answer with status 502 is no JSON: <h1>Bad gateway</h1>',
  );
});
