import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { PROBLEM_MEDIA_TYPE, rawRefusal, sendGraphqlRefusal, sendRefusal } from '../src/http/problem.ts';
import { refusal, retryLater, type Refusal } from '../src/limits/refusal.ts';
import { onTestEnd } from './kit/waits.ts';

const TOO_LARGE = refusal(413, 'The body is larger than 256 KiB.', 'Send less.', { headers: { 'X-A': 'b' } });
const TOO_MANY = retryLater(429, 'Too many requests.', 10);

/** What a client gets that is refused. */
async function told(refused: Refusal, accept: string | null = null) {
  const server = createServer((_request, response) => {
    if (accept === null) sendRefusal(response, refused);
    else sendGraphqlRefusal(accept, response, refused);
  }).listen(0, '127.0.0.1');
  onTestEnd(() => void server.close());
  await once(server, 'listening');
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as unknown };
}

describe('a refusal', () => {
  it("is sent as problem details, titled with the status's own phrase", async () => {
    const { body, headers, status } = await told(TOO_LARGE);
    expect([status, headers.get('content-type'), headers.get('x-a')]).toEqual([413, PROBLEM_MEDIA_TYPE, 'b']);
    expect(body).toEqual({
      type: 'about:blank',
      title: 'Payload Too Large',
      status: 413,
      detail: 'The body is larger than 256 KiB.',
      hint: 'Send less.',
    });
  });

  it('says when to retry, in a header and in the body', async () => {
    const { body, headers } = await told(TOO_MANY);
    expect(headers.get('retry-after')).toBe('10');
    expect(body).toMatchObject({ code: 'RATE_LIMITED', hint: 'Try again in 10 s.', retryAfter: 10 });
  });

  it('has a title even for a status without a phrase', async () => {
    expect((await told(refusal(499, 'No.', 'Go.'))).body).toMatchObject({ title: 'HTTP 499' });
  });

  it('is a GraphQL response as well for GraphQL clients, with a type that they read', async () => {
    const { body, headers } = await told(
      TOO_MANY,
      'application/graphql-response+json, application/json;q=0.9',
    );
    expect(headers.get('content-type')).toBe('application/graphql-response+json; charset=utf-8');
    const extensions = { code: 'RATE_LIMITED', hint: 'Try again in 10 s.', retryAfter: 10 };
    expect(body).toMatchObject({ errors: [{ message: 'Too many requests.', extensions }], status: 429 });
    expect((await told(TOO_LARGE, '*/*')).body).toMatchObject({
      code: 'BAD_REQUEST',
      errors: [{ extensions: { code: 'BAD_REQUEST', hint: 'Send less.' } }],
    });
  });

  it('can be written to a socket, as a whole HTTP response that ends its connection', () => {
    const [head = '', body = ''] = rawRefusal(TOO_MANY).split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 429 Too Many Requests\r\n/);
    expect(head).toContain('Connection: close');
    expect(head).toContain('Retry-After: 10');
    expect(JSON.parse(body)).toMatchObject({ status: 429, detail: 'Too many requests.' });
  });
});
