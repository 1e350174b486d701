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

const MOST_BYTES = 30 * 1024 * 1024;

/** Sends the start of an upload, without its request line, and returns the start of the answer. */
async function answerTo({ app }: Gateway, beginning: string): Promise<string> {
  const socket = connect(app.port, '127.0.0.1');
  onTestEnd(() => void socket.destroy());
  socket.write(`POST /uploads HTTP/1.1\r\n${beginning}`);
  const [answer] = (await named('an answer', once(socket.setEncoding('utf8'), 'data'))) as [string];
  return answer;
}

describe('an image that no model would take', () => {
  it('is answered with a status, a code and what is wrong with it, and the connection goes on', async () => {
    const { provider, upload } = await startUploading();
    const rows: readonly (readonly [number, string, () => Buffer | Promise<Buffer>])[] = [
      [415, 'IMAGE_TYPE', () => flat('gif')],
      [415, 'IMAGE_TYPE', () => Buffer.from('<script>alert(1)</script>')],
      [422, 'IMAGE_BROKEN', () => Buffer.alloc(0)],
      [422, 'IMAGE_BROKEN', async () => (await imageBytes()).subarray(0, 30)],
      [422, 'IMAGE_ANIMATED', () => animation('webp')],
      [413, 'IMAGE_TOO_LARGE', () => pngOf(MOST_BYTES + 1)],
      [422, 'IMAGE_TOO_MANY_PIXELS', async () => claiming(await flat('png'), 10_100, 10_000)],
    ];
    for (const [status, code, make] of rows) {
      const told = await upload(await make());
      expect([told.status, told.body['code']]).toEqual([status, code]);
      expect(told.headers.get('content-type')).toMatch(/^application\/problem\+json/);
      expect(told.body).toMatchObject({
        status,
        detail: expect.stringMatching(/^The image .*\.$/s) as string,
      });
    }
    expect(provider.requests()).toEqual([]);
    expect((await upload(await imageBytes())).status).toBe(201);
  });

  it('is refused before all of it arrives', async () => {
    const { gateway } = await startUploading();
    const lines = 'Host: localhost\r\nContent-Type: image/png\r\nContent-Length: 9000000';
    const large = lines.replace('9000000', String(MOST_BYTES + 1));
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

  it('of another origin may not', async () => {
    const { gateway, provider, upload } = await startUploading({ env: { ALLOWED_ORIGINS: PAGE } });
    const image = await flat('png', { width: 400, height: 400 });
    for (const origin of ['https://evil.example', 'null', 'https://app.example.com.evil.example']) {
      const headers = { origin, ...PREFLIGHT };
      const asked = await fetch(`${gateway.url}/uploads`, { method: 'OPTIONS', headers });
      expect(asked.headers.get('access-control-allow-origin')).toBe(null);
      const told = await upload(image, { origin });
      expect([origin, told.status, told.headers.get('access-control-allow-origin')]).toEqual([
        origin,
        403,
        null,
      ]);
    }
    expect(provider.requests()).toEqual([]);
  });

  it('cannot do so with what needs no leave, or with a type that is none', async () => {
    const { gateway, upload } = await startUploading();
    const hint = expect.stringContaining('image/png') as string;
    for (const body of [
      new URLSearchParams({ a: 'b' }),
      formWith(new Blob(['a'])),
      'text',
      new Uint8Array(5),
    ]) {
      const told = await fetch(`${gateway.url}/uploads`, { method: 'POST', body });
      expect([told.status, await told.json()]).toEqual([415, expect.objectContaining({ hint })]);
    }
    for (const type of ['image', 'foo', '', 'image/png,image/png']) {
      const told = await upload(await imageBytes(), { 'content-type': type });
      expect([type, told.status]).toEqual([type, 415]);
      expect(told.body).toMatchObject({ code: 'IMAGE_TYPE', hint });
    }
  });

  function formWith(file: Blob): FormData {
    const form = new FormData();
    form.append('file', file);
    return form;
  }
});

test('another method is answered with what is allowed, and another host name is refused', async () => {
  const { gateway } = await startUploading();
  for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'QUERY']) {
    const { headers, status } = await fetch(`${gateway.url}/uploads`, { method });
    expect([method, status, headers.get('allow')]).toEqual([method, 405, 'POST']);
  }
  const lines = 'Host: evil.example\r\nContent-Type: image/png\r\nContent-Length: 0';
  expect(await answerTo(gateway, `${lines}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 421 /);
});

describe('a provider', () => {
  it('that says no, with its envelope or without, is believed and quoted without our key', async () => {
    const { provider, upload } = await startUploading();
    for (const [msg, code] of [
      ['Authentication failed: Invalid API Key', 401],
      ['Missing required parameter: uploadPath', 400],
      ['Credits insufficient for test-key', 402],
    ] as const) {
      provider.answer('upload', { body: { success: false, code, msg } });
      const told = await upload(await imageBytes());
      expect([told.status, told.body['code']]).toEqual([502, 'PROVIDER_REFUSED']);
      expect(told.body['detail']).toContain(msg.replace('test-key', '[redacted]'));
      expect(JSON.stringify(told.body)).not.toContain('test-key');
    }
    for (const [status, body] of [
      [401, '<html>no</html>'],
      [413, '<html>no</html>'],
      [302, ''],
      [401, '{"success":false,"msg":"no"}'],
    ] as const) {
      provider.answer('upload', { status, body });
      expect((await upload(await imageBytes())).status).toBe(502);
    }
    expect(provider.requests('upload')).toHaveLength(7);
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

  it('that does not get out of trouble has the client come back later, with nothing kept', async () => {
    const { provider, upload } = await startUploading();
    for (const [answer, tries, retryAfter] of [
      [{ status: 500, body: { success: false, code: 500, msg: 'no' } }, 3, '5'],
      [{ status: 429, headers: { 'retry-after': '17' }, body: '' }, 1, '17'],
      [uploaded(''), 3, '5'],
      [uploaded('javascript:alert(1)'), 3, '5'],
    ] as const) {
      provider.answer('upload', ...Array.from({ length: tries }, () => answer));
      const bytes = await imageBytes();
      const told = await upload(bytes);
      expect([told.status, told.headers.get('retry-after')]).toEqual([503, retryAfter]);
      expect(told.body).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
      expect(provider.unused()).toEqual([]);
      expect((await upload(bytes)).status).toBe(201);
    }
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

describe('an owner that uploads many images', () => {
  it('gets half of the places, and the first upload of another owner is always accepted', async () => {
    const { provider, upload } = await startUploading({
      env: { API_KEYS: `${API_KEYS},carol:key-of-carol`, MAX_UPLOADS: '2' },
    });
    const gate = deferred();
    const held = { ...uploaded('https://files.example/1.png'), gate: gate.promise };
    provider.answer('upload', held, held, held);
    const [one, two, three, four] = await Promise.all([
      imageBytes(),
      imageBytes(),
      imageBytes(),
      imageBytes(),
    ]);
    const first = upload(one, ADA);
    await provider.received('upload');
    const told = await upload(two, ADA);
    expect(told.status).toBe(429);
    expect(told.headers.get('retry-after')).toBe('5');
    expect(told.body).toMatchObject({ code: 'RATE_LIMITED' });
    const second = upload(three, BEN);
    await provider.received('upload');
    const third = upload(four, { authorization: 'Bearer key-of-carol' });
    await provider.received('upload');
    gate.resolve();
    expect((await Promise.all([first, second, third])).map(({ status }) => status)).toEqual([201, 201, 201]);
    expect((await upload(two, ADA)).status).toBe(201);
  });
});

describe('an upload whose bytes stop coming', () => {
  it('is aborted and frees its place', async () => {
    const { gateway, upload } = await startUploading({ env: { MAX_UPLOADS: '1' } });
    const bytes = await imageBytes();
    const socket = connect(gateway.app.port, '127.0.0.1').setEncoding('utf8');
    onTestEnd(() => void socket.destroy());
    const lines = `Host: localhost\r\nContent-Type: image/png\r\nContent-Length: ${bytes.length}`;
    socket.write(`POST /uploads HTTP/1.1\r\n${lines}\r\n\r\n`);
    socket.write(bytes.subarray(0, 1000));
    const [answer] = (await named('an answer', once(socket, 'data'))) as [string];
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('UPLOAD_TOO_SLOW');
    await named('the end of the connection', once(socket, 'close'));
    expect((await upload(bytes)).status).toBe(201);
  });
});
