import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, test } from 'vitest';
import { ADA, API_KEYS, BEN } from '../auth/owners.ts';
import { deferred, onTestEnd, named } from '../kit/waits.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import { uploaded } from '../kit/kie.ts';
import { animation, claiming, flat, imageBytes, pngOf } from '../kit/images.ts';
import { startUploading } from './uploading.ts';

const TEN_MB = 10 * 1024 * 1024;

/** Sends the start of an upload, without its request line, and returns the start of the answer. */
async function answerTo({ app }: Gateway, beginning: string): Promise<string> {
  const socket = connect(app.port, '127.0.0.1');
  onTestEnd(() => void socket.destroy());
  socket.write(`POST /uploads HTTP/1.1\r\n${beginning}`);
  const [answer] = (await named('an answer', once(socket.setEncoding('utf8'), 'data'))) as [string];
  return answer;
}

describe('an image that the model would not take', () => {
  it.each<[number, string, string, () => Buffer | Promise<Buffer>]>([
    [415, 'IMAGE_TYPE', 'a GIF that says it is a PNG', () => flat('gif')],
    [415, 'IMAGE_TYPE', 'a script', () => Buffer.from('<script>alert(1)</script>')],
    [422, 'IMAGE_BROKEN', 'nothing', () => Buffer.alloc(0)],
    [422, 'IMAGE_BROKEN', 'half a header', async () => (await imageBytes()).subarray(0, 30)],
    [422, 'IMAGE_ANIMATED', 'an animation', () => animation('webp')],
    [413, 'IMAGE_TOO_LARGE', 'one byte too many', () => pngOf(TEN_MB + 1)],
    [413, 'IMAGE_TOO_LARGE', 'far too many bytes', () => pngOf(3 * TEN_MB)],
    [422, 'IMAGE_TOO_SMALL', 'a small one', () => imageBytes('jpeg', { width: 300, height: 500 })],
    [422, 'IMAGE_ASPECT_RATIO', 'a long one', () => flat('webp', { width: 310, height: 800 })],
    [422, 'IMAGE_TOO_MANY_PIXELS', 'a bomb', async () => claiming(await flat('png'), 10_100, 10_000)],
  ])('is answered with %i and the code %s: %s', async (status, code, _, make) => {
    const { provider, upload } = await startUploading();
    const told = await upload(await make());
    expect(told.status).toBe(status);
    expect(told.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(told.body).toMatchObject({
      status,
      code,
      detail: expect.stringMatching(/^The image .*\.$/s) as string,
    });
    expect(provider.requests()).toEqual([]);
    // The connection, or another one, goes on.
    expect((await upload(await imageBytes())).status).toBe(201);
  });

  it('is refused before all of it arrives', async () => {
    const { gateway } = await startUploading();
    const lines = 'Host: localhost\r\nContent-Type: image/png\r\nContent-Length: 9000000';
    const large = lines.replace('9000000', '10485761');
    expect(await answerTo(gateway, `${large}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 413 /);
    expect(await answerTo(gateway, `${lines}\r\n\r\nGIF89a and so on`)).toMatch(/^HTTP\/1\.1 415 /);
    // A stop does not wait for the rest of it.
    await named('the end of the gateway', gateway.close());
  });
});

describe('who may upload', () => {
  it('is checked before the body is read', async () => {
    const { provider, upload } = await startUploading({ env: { API_KEYS } });
    const bytes = await imageBytes();
    for (const headers of [{}, { authorization: 'Bearer wrong' }]) {
      const told = await upload(bytes, headers);
      expect(told.status).toBe(401);
      expect(told.headers.get('www-authenticate')).toBe('Bearer');
      expect(told.body).toMatchObject({
        code: 'UNAUTHENTICATED',
        hint: expect.stringContaining('Authorization: Bearer') as string,
      });
    }
    expect(provider.requests()).toEqual([]);
    expect((await upload(bytes, ADA)).status).toBe(201);
  });

  it('is limited by MAX_REQUESTS_PER_MINUTE, each owner for itself', async () => {
    const { upload } = await startUploading({ env: { API_KEYS, MAX_REQUESTS_PER_MINUTE: '1' } });
    const bytes = await imageBytes();
    expect((await upload(bytes, ADA)).status).toBe(201);
    const told = await upload(bytes, ADA);
    expect(told.status).toBe(429);
    expect(Number(told.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(told.body).toMatchObject({ code: 'RATE_LIMITED', hint: expect.any(String) as string });
    expect((await upload(bytes, BEN)).status).toBe(201);
  });

  it('is limited by MAX_UPLOADS at a time', async () => {
    const { provider, upload } = await startUploading({ env: { MAX_UPLOADS: '1' } });
    const gate = deferred();
    provider.answer('upload', { ...uploaded('https://files.example/1.png'), gate: gate.promise });
    const [one, other] = await Promise.all([imageBytes(), imageBytes()]);
    const first = upload(one);
    await provider.received('upload');
    const told = await upload(other);
    expect(told.status).toBe(503);
    expect(told.headers.get('retry-after')).toBe('5');
    gate.resolve();
    expect((await first).status).toBe(201);
    expect((await upload(other)).status).toBe(201);
  });
});

describe('a web page', () => {
  const PAGE = 'https://app.example.com';
  const PREFLIGHT = {
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,content-type',
  };

  it('of an allowed origin may upload, and read the answer', async () => {
    const { gateway, upload } = await startUploading({ env: { ALLOWED_ORIGINS: PAGE } });
    const asked = await fetch(`${gateway.url}/uploads`, {
      method: 'OPTIONS',
      headers: { origin: PAGE, ...PREFLIGHT },
    });
    expect(asked.status).toBe(204);
    expect(asked.headers.get('access-control-allow-origin')).toBe(PAGE);
    expect(asked.headers.get('access-control-allow-methods')).toBe('POST');
    expect(asked.headers.get('access-control-allow-headers')).toBe('authorization,content-type');
    expect(asked.headers.get('access-control-allow-credentials')).toBe(null);
    const told = await upload(await imageBytes(), { origin: PAGE });
    expect(told.status).toBe(201);
    expect(told.headers.get('access-control-allow-origin')).toBe(PAGE);
    expect(told.headers.get('access-control-expose-headers')).toContain('retry-after');
    expect(told.headers.get('vary')).toContain('Origin');
  });

  it.each(['https://evil.example', 'null', 'https://app.example.com.evil.example'])(
    'of another origin may not: %s',
    async (origin) => {
      const { gateway, provider, upload } = await startUploading({ env: { ALLOWED_ORIGINS: PAGE } });
      const asked = await fetch(`${gateway.url}/uploads`, {
        method: 'OPTIONS',
        headers: { origin, ...PREFLIGHT },
      });
      expect(asked.headers.get('access-control-allow-origin')).toBe(null);
      const told = await upload(await flat('png', { width: 400, height: 400 }), { origin });
      expect(told.status).toBe(403);
      expect(told.headers.get('access-control-allow-origin')).toBe(null);
      expect(provider.requests()).toEqual([]);
    },
  );

  it.each<[string, BodyInit]>([
    ['a form', new URLSearchParams({ a: 'b' })],
    ['a form with a file', formWith(new Blob(['a']))],
    ['text', 'text'],
    ['bytes of no type', new Uint8Array(5)],
  ])('cannot do so with what needs no leave: %s', async (_, body) => {
    const { gateway } = await startUploading();
    const told = await fetch(`${gateway.url}/uploads`, { method: 'POST', body });
    expect(told.status).toBe(415);
    expect(await told.json()).toMatchObject({ hint: expect.stringContaining('image/png') as string });
  });

  it.each(['image', 'foo', '', 'image/png,image/png'])('or with a type that is none: "%s"', async (type) => {
    const { upload } = await startUploading();
    const told = await upload(await imageBytes(), { 'content-type': type });
    expect(told.status).toBe(415);
    expect(told.body).toMatchObject({
      code: 'IMAGE_TYPE',
      hint: expect.stringContaining('image/png') as string,
    });
  });

  function formWith(file: Blob): FormData {
    const form = new FormData();
    form.append('file', file);
    return form;
  }
});

test.each(['GET', 'PUT', 'PATCH', 'DELETE', 'QUERY'])(
  '%s is answered with what is allowed',
  async (method) => {
    const { gateway } = await startUploading();
    const told = await fetch(`${gateway.url}/uploads`, { method });
    expect(told.status).toBe(405);
    expect(told.headers.get('allow')).toBe('POST');
  },
);

test('an upload to another host name is refused', async () => {
  const { gateway } = await startUploading();
  const lines = 'Host: evil.example\r\nContent-Type: image/png\r\nContent-Length: 0';
  expect(await answerTo(gateway, `${lines}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 421 /);
});

describe('a provider', () => {
  it.each<[string, number, string]>([
    ['Authentication failed: Invalid API Key', 401, 'key'],
    ['Missing required parameter: uploadPath', 400, 'parameter'],
    ['Credits insufficient for test-key', 402, 'credits'],
  ])('that says no is quoted without our key: %s', async (msg, code) => {
    const { provider, upload } = await startUploading();
    provider.answer('upload', { body: { success: false, code, msg } });
    const told = await upload(await imageBytes());
    expect(told.status).toBe(502);
    expect(told.body).toMatchObject({ code: 'PROVIDER_REFUSED' });
    expect(told.body['detail']).toContain(msg.replace('test-key', '[redacted]'));
    expect(JSON.stringify(told.body)).not.toContain('test-key');
    expect(provider.requests('upload')).toHaveLength(1);
  });

  it.each([
    [401, '<html>no</html>'],
    [413, '<html>no</html>'],
    [302, ''],
    [401, '{"success":false,"msg":"no"}'],
  ])('that says no without its envelope is believed too: %i %s', async (status, body) => {
    const { provider, upload } = await startUploading();
    provider.answer('upload', { status, body });
    expect((await upload(await imageBytes())).status).toBe(502);
    expect(provider.requests('upload')).toHaveLength(1);
  });

  it('that is still being sent to when the gateway stops has its client told to come back', async () => {
    const { gateway, provider, upload } = await startUploading();
    provider.answer('upload', { hang: true });
    const told = upload(await imageBytes());
    await provider.received('upload');
    await gateway.close();
    expect((await told).status).toBe(503);
    expect(provider.requests('upload')).toHaveLength(1);
  });

  it('is asked again, under another name, when it is in trouble', async () => {
    const { provider, upload } = await startUploading();
    const html = { status: 502, body: '<html>Bad gateway</html>' };
    provider.answer('upload', { reset: true }, html);
    const bytes = await imageBytes();
    expect((await upload(bytes)).status).toBe(201);
    const tries = provider.requests('upload').slice(1);
    const names = tries.map(({ rawBody }) => /filename="([^"]+)"/.exec(rawBody)?.[1]);
    expect(new Set(names).size).toBe(2);
  });

  it.each([
    ['does not get out of it', { status: 500, body: { success: false, code: 500, msg: 'no' } }, 3, '5'],
    ['says when to come back', { status: 429, headers: { 'retry-after': '17' }, body: '' }, 1, '17'],
    ['tells no address', uploaded(''), 3, '5'],
    ['tells an address that is none', uploaded('javascript:alert(1)'), 3, '5'],
  ])('that %s has the client come back later, with nothing kept', async (_, answer, tries, retryAfter) => {
    const { provider, upload } = await startUploading();
    provider.answer('upload', ...Array.from({ length: tries }, () => answer));
    const bytes = await imageBytes();
    const told = await upload(bytes);
    expect(told.status).toBe(503);
    expect(told.headers.get('retry-after')).toBe(retryAfter);
    expect(told.body).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(provider.unused()).toEqual([]);
    expect((await upload(bytes)).status).toBe(201);
  });

  it('that cannot be reached has the client come back later', async () => {
    const { provider, upload } = await startUploading();
    await provider.close();
    expect((await upload(await imageBytes())).status).toBe(503);
  });

  it('at KIE_UPLOAD_URL receives the images', async () => {
    const uploads = await startFakeProvider();
    uploads.always('upload', uploaded('https://files.example/1.png'));
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider, env: { KIE_UPLOAD_URL: uploads.url } });
    const body = new Uint8Array(await imageBytes());
    const headers = { 'content-type': 'image/png' };
    expect((await fetch(`${gateway.url}/uploads`, { method: 'POST', headers, body })).status).toBe(201);
    const { headers: sent } = await uploads.received('upload');
    expect(sent).toMatchObject({
      authorization: 'Bearer test-key',
      'user-agent': expect.stringMatching(/^kineograph\//) as string,
    });
    expect(provider.requests()).toEqual([]);
  });
});
