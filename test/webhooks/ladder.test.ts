import { describe, expect, test } from 'vitest';
import type { CallbackAddress } from '../../src/tasks/callback-address.ts';
import { CREATE, input } from '../kit/documents.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { created, refused, callbackSuccess, deliverCallback, sign } from '../kit/kie.ts';
import { readTask, startWithProvider, startWithTask, submit, type CalledBack } from './called-back.ts';

/** A callback on its way. */
interface Request {
  readonly method: string;
  readonly url: string;
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly body: unknown;
  readonly signature: Readonly<Record<string, string>>;
}

interface Rung {
  readonly name: string;
  readonly status: number;
  readonly detail: string;
  /** What makes a callback fail on this rung. */
  readonly mistake: (request: Request) => Partial<Request>;
}

/** The ladder, in order. */
const RUNGS: readonly Rung[] = [
  { name: 'method', status: 405, detail: 'posted', mistake: () => ({ method: 'PUT' }) },
  {
    name: 'path',
    status: 404,
    detail: 'no such callback address',
    mistake: ({ url }) => ({ url: `${url}/more` }),
  },
  {
    name: 'token',
    status: 401,
    detail: 'not the callback address',
    mistake: ({ url }) => ({ url: withOtherToken(url) }),
  },
  { name: 'size', status: 413, detail: '256 KiB', mistake: () => ({ body: 'x'.repeat(300 * 1024) }) },
  {
    name: 'encoding',
    status: 415,
    detail: 'declared as "compress"',
    mistake: () => ({ contentEncoding: 'compress' }),
  },
  { name: 'JSON', status: 400, detail: 'not valid JSON', mistake: () => ({ body: '{"code":200' }) },
  { name: 'an envelope', status: 400, detail: 'not a callback', mistake: () => ({ body: '{"a":1}' }) },
  {
    name: 'an id',
    status: 400,
    detail: 'names no task',
    mistake: () => ({ body: { code: 200, msg: '', data: {} } }),
  },
  {
    name: 'one id',
    status: 409,
    detail: 'more than one',
    mistake: () => ({ body: callbackSuccess('kie-1', { task_id: 'kie-2' }) }),
  },
  {
    name: 'the right id',
    status: 409,
    detail: 'another provider id',
    mistake: () => ({ body: callbackSuccess('kie-2'), signature: sign(HMAC_KEY, 'kie-2') }),
  },
  { name: 'signature', status: 401, detail: 'signature', mistake: () => ({ signature: {} }) },
];

function withOtherToken(url: string): string {
  return url.replace(/\/(.)([^/]*)$/, (_, first, rest) => `/${first === 'A' ? 'B' : 'A'}${String(rest)}`);
}

function rightRequest({ callback }: CalledBack): Request {
  return {
    method: 'POST',
    url: callback,
    contentType: 'application/json',
    contentEncoding: 'identity',
    body: callbackSuccess('kie-1'),
    signature: sign(HMAC_KEY, 'kie-1'),
  };
}

async function send(request: Request): Promise<Response> {
  const { body, contentEncoding, contentType, method, signature, url } = request;
  return fetch(url, {
    method,
    headers: { ...signature, 'content-type': contentType, 'content-encoding': contentEncoding },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** The answer must be problem details with a hint, and tell none of the secrets of the task and its callbacks. */
async function expectProblem(answer: Response, { detail, status }: Rung, callback: string): Promise<void> {
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  const text = await answer.text();
  const problem = JSON.parse(text) as Record<string, unknown>;
  expect(problem).toEqual({
    type: 'about:blank',
    title: expect.any(String) as string,
    status,
    detail: expect.stringContaining(detail) as string,
    code: expect.stringMatching(/^CALLBACK_[A-Z_]+$/) as string,
    hint: expect.stringMatching(/\w.*\.$/) as string,
  });
  const [id = '', token = ''] = callback.split('/').slice(-2);
  for (const secret of [id, token, HMAC_KEY, 'kie-1', sign(HMAC_KEY, 'kie-1')['X-Webhook-Signature']])
    expect(text).not.toContain(secret);
}

describe.each(RUNGS.map((rung, index) => ({ ...rung, rung, later: RUNGS.slice(index) })))(
  'a callback that fails on $name',
  ({ later, rung }) => {
    test('is refused with what is wrong with it, and changes nothing', async () => {
      const scene = await startWithTask();
      scene.provider.always('recordInfo', refused(422, 'recordInfo is null'));
      const right = rightRequest(scene);
      await expectProblem(await send({ ...right, ...rung.mistake(right) }), rung, scene.callback);
      expect(await readTask(scene.gateway, scene.task.id)).toEqual(scene.task);
      expect((await send(right)).status).toBe(200);
    });

    test('is refused for that even when everything after it is wrong too', async () => {
      const scene = await startWithTask();
      scene.provider.always('recordInfo', refused(422, 'recordInfo is null'));
      const wrong = later.reduceRight(
        (request, { mistake }) => ({ ...request, ...mistake(request) }),
        rightRequest(scene),
      );
      await expectProblem(await send({ ...wrong, signature: {} }), rung, scene.callback);
    });
  },
);

test('a callback that is right is taken, and its answer says so', async () => {
  const { callback } = await startWithTask();
  const answer = await deliverCallback(callback, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({ code: 200, msg: 'success' });
});

test.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
  '%s is refused, and told what is allowed',
  async (method) => {
    const { callback } = await startWithTask();
    const answer = await fetch(callback, { method });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('POST');
  },
);

test.each([
  '/webhooks',
  '/webhooks/',
  '/webhooks/kie',
  '/webhooks/kie/',
  '/webhooks/kie/1',
  '/webhooks/kie/1/',
])('there is nothing at %s', async (path) => {
  const { gateway } = await startWithTask();
  const { status, headers } = await deliverCallback(gateway.url + path, callbackSuccess('kie-1'));
  expect(status).toBe(404);
  expect(headers.get('content-type')).toContain('application/problem+json');
});

test('the token of a task opens no other task, whether that exists or not', async () => {
  const scene = await startWithTask();
  scene.provider.answer('createTask', created('kie-2'));
  const token = scene.callback.split('/').at(-1) ?? '';
  const other = await submit(scene.gateway);

  for (const id of [other.id, '00000000-0000-4000-8000-000000000000', 'x', '%00', '..%2f']) {
    const url = `${scene.gateway.url}/webhooks/kie/${id}/${token}`;
    const answer = await deliverCallback(url, callbackSuccess('kie-2'), sign(HMAC_KEY, 'kie-2'));
    expect(answer.status).toBe(401);
  }
});

test('an address that cannot be read is refused with a problem and a hint', async () => {
  const { gateway } = await startWithTask();
  const answer = await deliverCallback(`${gateway.url}/webhooks/kie/%zz/token`, callbackSuccess('kie-1'));
  expect(answer.status).toBe(400);
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  expect(answer.body).toHaveProperty('hint');
});

test('there is no such task: right token and signature for a task that we do not have', async () => {
  let address: CallbackAddress | undefined;
  const { gateway } = await startWithProvider({
    overrides: {
      wrap: (ports) => {
        address = ports.callbackAddress;
        return ports;
      },
    },
  });
  const url = gateway.url + new URL(address?.urlFor('no-such-task') ?? '').pathname;
  const answer = await deliverCallback(url, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
  expect(answer.status).toBe(404);
  expect(answer.body).toMatchObject({ detail: 'There is no such task.' });
});

test('there is no such task: the provider refused it, and nobody was told of it', async () => {
  const { gateway, provider } = await startWithProvider();
  provider.answer('createTask', refused(402, 'top up'));
  const { body } = await graphql(gateway.graphqlUrl, CREATE, { input: input() });
  expect(dataOf(body).createImageToVideo.__typename).toBe('ProviderError');

  const url = gateway.callbackUrl(await provider.received('createTask'));
  const answer = await deliverCallback(url, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
  expect(answer.status).toBe(404);
});

describe('a callback that is JSON is taken, declared as', () => {
  test.each([
    'application/json',
    'application/json; charset=utf-8',
    'application/vnd.kie+json',
    'text/plain',
    'application/x-www-form-urlencoded',
    ';',
  ])('%s', async (contentType) => {
    const scene = await startWithTask();
    expect((await send({ ...rightRequest(scene), contentType })).status).toBe(200);
  });

  test('nothing', async () => {
    const { callback } = await startWithTask();
    const body = Buffer.from(JSON.stringify(callbackSuccess('kie-1')));
    const headers = sign(HMAC_KEY, 'kie-1');
    expect((await fetch(callback, { method: 'POST', headers, body })).status).toBe(200);
  });
});
