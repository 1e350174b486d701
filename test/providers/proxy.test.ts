import { describe, expect, it, test } from 'vitest';
import { parseConfig } from '../../src/config/config.ts';
import { proxyFor } from '../../src/providers/proxy.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';
import { created, credit, succeeded } from '../kit/kie.ts';
import { imageBytes } from '../kit/images.ts';
import { startProxy } from '../kit/http-proxy.ts';
import { startUploading } from '../uploads/uploading.ts';
import { INPUT, createClient, startClient } from './kie-client.ts';

const API = 'https://api.kie.ai';

describe('the proxy of an address', () => {
  it.each([
    ['none, when none is set', {}, API, null],
    ['that of its scheme', { HTTPS_PROXY: 'http://p:1' }, API, 'http://p:1'],
    ['none, when there is one for the other scheme', { HTTP_PROXY: 'http://p:1' }, API, null],
    ['one of host and port alone', { HTTPS_PROXY: 'p.example:3128' }, API, 'http://p.example:3128'],
    ['one that is named in lower case', { https_proxy: 'http://p:1' }, API, 'http://p:1'],
    ['none for hosts of NO_PROXY', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'a, api.kie.ai' }, API, null],
    ['none for hosts below those', { HTTPS_PROXY: 'http://p:1', no_proxy: '.kie.ai' }, API, null],
    ['none for the port that is named', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'kie.ai:443' }, API, null],
    ['the proxy for another port', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'kie.ai:80' }, API, 'http://p:1'],
    ['the proxy for other hosts', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'ie.ai' }, API, 'http://p:1'],
    ['none for *', { HTTPS_PROXY: 'http://p:1', NO_PROXY: '*' }, API, null],
  ])('is %s', (_what, env, origin, proxy) => {
    expect(proxyFor(origin, parseConfig(env))).toBe(proxy);
  });

  it.each(['socks5://p:1', 'http://', 'http://p:1/path', 'http://u:%zz@p:1'])(
    'is refused at the start when it is no HTTP proxy, without showing it: %s',
    (url) => {
      expect(() => parseConfig({ HTTPS_PROXY: url })).toThrow(
        expect.objectContaining({
          message: expect.stringMatching(/HTTPS_PROXY: expected the address of an HTTP proxy/) as string,
        }) as Error,
      );
    },
  );
});

test('every call goes through the proxy, with its credentials, each create call on a connection of its own', async () => {
  const { asked, url } = await startProxy();
  const { kie, provider } = await startClient({ proxy: url.replace('//', '//user:p%40ss@') });
  provider.always('createTask', created('kie-1'));
  provider.answer('recordInfo', succeeded('kie-1'));
  provider.answer('credit', credit(7));
  expect(await kie.createTask(INPUT, null)).toMatchObject({ kind: 'accepted' });
  expect(await kie.createTask(INPUT, null)).toMatchObject({ kind: 'accepted' });
  expect(await kie.queryTask('kie-1')).toMatchObject({ kind: 'update' });
  expect(await kie.credits()).toBe(7);
  const authorization = `Basic ${Buffer.from('user:p@ss').toString('base64')}`;
  const target = `127.0.0.1:${provider.port}`;
  expect(asked.length).toBeGreaterThan(2);
  for (const one of asked) expect(one).toEqual({ target, authorization });
  const sent = provider.requests('createTask');
  expect(new Set(sent.map(({ remotePort }) => remotePort)).size).toBe(2);
  for (const { body, headers } of sent) {
    expect(headers).toMatchObject({ authorization: 'Bearer test-key', connection: 'close' });
    expect(body).toMatchObject({ model: 'hailuo/02-image-to-video-pro' });
  }
});

describe('nothing was sent, so that a create call is tried again, when a proxy', () => {
  it.each([403, 407, 502])('refuses with %i', async (status) => {
    const { url } = await startProxy({ status });
    const { kie, provider } = await startClient({ proxy: url });
    expect(await kie.createTask(INPUT, null)).toMatchObject({ kind: 'not-now' });
    expect(provider.requests()).toEqual([]);
  });

  it('is not there', async () => {
    const { kie, provider } = await startClient({ proxy: 'http://127.0.0.1:1' });
    expect(await kie.createTask(INPUT, null)).toMatchObject({ kind: 'not-now' });
    expect(provider.requests()).toEqual([]);
  });

  it('leads to a TLS handshake that fails', async () => {
    const { asked, url } = await startProxy();
    const provider = await startFakeProvider();
    const kie = createClient(provider.url.replace('http:', 'https:'), { proxy: url });
    expect(await kie.createTask(INPUT, null)).toMatchObject({ kind: 'not-now' });
    expect(asked).toHaveLength(1);
    expect(provider.requests()).toEqual([]);
  });
});

test('nobody knows what became of a create call that is cut behind a proxy', async () => {
  const { url } = await startProxy();
  const { kie, provider } = await startClient({ proxy: url });
  provider.answer('createTask', { reset: true });
  expect(await kie.createTask(INPUT, null)).toMatchObject({ kind: 'unknown' });
});

test('images are uploaded through the proxy too, and the sandbox is always called directly', async () => {
  const proxy = await startProxy();
  const { upload } = await startUploading({ env: { HTTP_PROXY: proxy.url } });
  expect((await upload(await imageBytes())).status).toBe(201);
  expect(proxy.asked).toHaveLength(1);

  const gateway = await startGateway({ env: { HTTP_PROXY: proxy.url } });
  const query = JSON.stringify({ query: '{ account { creditsRemaining } }' });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(gateway.graphqlUrl, { method: 'POST', headers, body: query });
  expect(await answer.json()).toEqual({ data: { account: { creditsRemaining: 10_000 } } });
  expect(proxy.asked).toHaveLength(1);
});
