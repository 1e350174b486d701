import { expect, test } from 'vitest';
import { created, record, refused } from '../kit/kie.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { INPUT, createClient, startClient } from './kie-client.ts';

const UNREACHABLE = {
  kind: 'not-now',
  failure: { code: 'UNREACHABLE', providerCode: null, message: 'The provider is unreachable.' },
  retryAfterMs: null,
};

test('a create call carries the key, a User-Agent and the input in the form that kie.ai documents', async () => {
  const { kie, provider } = await startClient();
  provider.answer('createTask', created('kie-1'));
  const input = { ...INPUT, endImageUrl: 'https://files.example/last.png', promptOptimizer: false };
  await kie.createTask(input, 'https://gateway.example.test/webhooks/kie/1/token');

  const { body, headers } = await provider.received('createTask');
  expect(headers).toMatchObject({
    authorization: 'Bearer test-key',
    'user-agent': 'kineograph/test',
    'content-type': 'application/json',
  });
  expect(body).toEqual({
    model: 'hailuo/02-image-to-video-pro',
    callBackUrl: 'https://gateway.example.test/webhooks/kie/1/token',
    input: {
      prompt: 'slow push-in, snow falling',
      image_url: 'https://files.example/first.png',
      end_image_url: 'https://files.example/last.png',
      prompt_optimizer: false,
    },
  });
});

test('what was not given is left out of a create call', async () => {
  const { kie, provider } = await startClient();
  provider.answer('createTask', created('kie-1'));
  await kie.createTask(INPUT, null);
  expect((await provider.received('createTask')).body).toEqual({
    model: 'hailuo/02-image-to-video-pro',
    input: { prompt: 'slow push-in, snow falling', image_url: 'https://files.example/first.png' },
  });
});

test('queries carry the key and a User-Agent, and the id in percent-encoding', async () => {
  const { kie, provider } = await startClient();
  provider.answer('recordInfo', record('kie 1/ö&x'));
  expect(await kie.queryTask('kie 1/ö&x')).toMatchObject({ kind: 'update' });
  const { headers, query } = await provider.received('recordInfo');
  expect(query).toEqual({ taskId: 'kie 1/ö&x' });
  expect(headers).toMatchObject({ authorization: 'Bearer test-key', 'user-agent': 'kineograph/test' });
});

test('every create call has a connection of its own, which nothing used before and nothing uses after', async () => {
  const { kie, provider } = await startClient();
  provider.always('recordInfo', record('kie-1'));
  provider.always('createTask', created('kie-1'));
  await kie.queryTask('kie-1');
  await kie.createTask(INPUT, null);
  await kie.queryTask('kie-1');
  await kie.createTask(INPUT, null);
  await kie.createTask(INPUT, null);

  const ports = provider.requests().map(({ remotePort }) => remotePort);
  const [query, first, laterQuery, second, third] = ports;
  // The queries' own connection was kept, so there was one to be tempted by.
  expect(laterQuery).toBe(query);
  expect(new Set([query, first, second, third]).size).toBe(4);
  for (const request of provider.requests('createTask')) await request.closed;
});

test.each([301, 302, 303, 307, 308])('a redirect with HTTP %i is not followed', async (status) => {
  const { kie, provider } = await startClient();
  const elsewhere = await startFakeProvider();
  provider.answer('createTask', {
    status,
    headers: { location: `${elsewhere.url}/api/v1/jobs/createTask` },
  });
  expect(await kie.createTask(INPUT, null)).toMatchObject({ kind: 'unknown' });
  expect(elsewhere.requests()).toEqual([]);
  expect(provider.requests()).toHaveLength(1);
});

test('a refused connection means that the provider is unreachable and got nothing', async () => {
  const provider = await startFakeProvider();
  await provider.close();
  expect(await createClient(provider.url).createTask(INPUT, null)).toEqual(UNREACHABLE);
});

test('a host name that does not exist means that the provider is unreachable', async () => {
  expect(await createClient('http://kie.invalid').createTask(INPUT, null)).toEqual(UNREACHABLE);
});

test('a TLS handshake that fails means that the provider is unreachable and got nothing', async () => {
  const provider = await startFakeProvider();
  const kie = createClient(provider.url.replace('http:', 'https:'));
  expect(await kie.createTask(INPUT, null)).toEqual(UNREACHABLE);
  expect(provider.requests()).toEqual([]);
});

test('a provider that could not be reached again and again is tried once it may be back, and then trusted', async () => {
  const before = await startFakeProvider();
  await before.close();
  const kie = createClient(before.url, { breakerRetryMs: 0 });
  for (let call = 0; call < 8; call += 1) expect(await kie.createTask(INPUT, null)).toEqual(UNREACHABLE);

  const provider = await startFakeProvider({ port: before.port });
  provider.always('createTask', created('kie-1'));
  const accepted = { kind: 'accepted', providerTaskId: 'kie-1' };
  expect(await kie.createTask(INPUT, null)).toEqual(accepted);
  expect(await kie.createTask(INPUT, null)).toEqual(accepted);
});

test('answers never count as being unreachable, however bad they are', async () => {
  const { kie, provider } = await startClient();
  provider.always('createTask', refused(500, 'oops'));
  for (let call = 0; call < 8; call += 1)
    expect(await kie.createTask(INPUT, null)).toMatchObject({ kind: 'unknown' });
  provider.always('createTask', { reset: true });
  for (let call = 0; call < 8; call += 1)
    expect(await kie.createTask(INPUT, null)).toMatchObject({ kind: 'unknown' });
  expect(provider.requests('createTask')).toHaveLength(16);
});
