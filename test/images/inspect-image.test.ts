import type { RequestListener } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, test } from 'vitest';
import { createInspectImage } from '../../src/images/inspect.ts';
import { deferred, named } from '../kit/waits.ts';
import { animation, flat, imageBytes, pngOf } from '../kit/images.ts';
import { startImageServer, type ImageServer } from './image-server.ts';

const MB = 1024 * 1024;

const CONDITIONS = {
  uploads: { isUploaded: (url: string) => Promise.resolve(url.includes('uploaded')) },
  userAgent: 'kineograph/test',
  now: Date.now,
  // This address stands for the internet.
  isAllowed: (address: string) => address === '127.0.0.1',
};
const inspect = createInspectImage({ ...CONDITIONS, timeoutMs: 30_000 });
const inspectHastily = createInspectImage({ ...CONDITIONS, timeoutMs: 1000 });

/** Checks an image while the process is not stopping. */
const look = (owner: string, url: string, by = inspect): ReturnType<typeof inspect> =>
  by(owner, url, new AbortController().signal);

/** The issue of an image that a server sends, and the server. */
async function lookAt(
  answer: RequestListener,
  by = inspect,
): Promise<{ readonly code: string | null; readonly message: string; readonly server: ImageServer }> {
  const server = await startImageServer(answer);
  const issue = await look('ada', `http://127.0.0.1:${server.port}/image`, by);
  return { code: issue?.code ?? null, message: issue?.message ?? '', server };
}

describe('an image behind a URL', () => {
  it.each(['jpeg', 'png', 'webp'] as const)(
    'has no issue when it is a %s that the model takes',
    async (format) => {
      const bytes = await imageBytes(format);
      const { code, server } = await lookAt((_request, response) => response.end(bytes));
      expect(code).toBe(null);
      expect(server.asked).toMatchObject([{ accept: 'image/*', 'user-agent': 'kineograph/test' }]);
    },
  );

  it.each<[string, () => Buffer | Promise<Buffer>]>([
    ['IMAGE_TYPE', () => flat('gif')],
    ['IMAGE_TYPE', () => Buffer.from('<html>Sign in</html>')],
    ['IMAGE_BROKEN', () => Buffer.alloc(0)],
    ['IMAGE_BROKEN', async () => (await imageBytes()).subarray(0, 30)],
    ['IMAGE_ANIMATED', () => animation('webp')],
    ['IMAGE_TOO_SMALL', () => imageBytes('png', { width: 300, height: 300 })],
    ['IMAGE_ASPECT_RATIO', () => imageBytes('png', { width: 310, height: 900 })],
    ['IMAGE_TOO_LARGE', () => pngOf(10 * MB + 1)],
  ])('has the issue %s that an upload would have', async (code, make) => {
    const bytes = await make();
    for (const headers of [{ 'content-length': bytes.length }, {}]) {
      const found = await lookAt((_request, response) => response.writeHead(200, headers).end(bytes));
      expect(found.code).toBe(code);
    }
  });

  it.each([204, 206, 304, 401, 403, 404, 500])('is unreachable behind status %i', async (status) => {
    const { code, message } = await lookAt((_request, response) => response.writeHead(status).end());
    expect(code).toBe('IMAGE_UNREACHABLE');
    expect(message).toContain(String(status));
  });

  it.each<[string, RequestListener]>([
    ['does not answer', () => undefined],
    [
      'sends nothing after its headers',
      (_request, response) => {
        response.flushHeaders();
      },
    ],
    [
      'stops within the header of the image',
      (_request, response) => response.write(Buffer.from('\x89PNG', 'latin1')),
    ],
  ])('is unreachable when its server %s', async (_, answer) => {
    const { code, message } = await lookAt(answer, inspectHastily);
    expect(code).toBe('IMAGE_UNREACHABLE');
    expect(message).toContain('too long');
  });

  it('is unreachable when its server cuts the connection, or nobody listens', async () => {
    const { code, server } = await lookAt((request) => request.socket.resetAndDestroy());
    expect(code).toBe('IMAGE_UNREACHABLE');
    expect(server.connections()).toBe(1);
    expect(await look('ada', 'http://127.0.0.1:1/')).toMatchObject({ code: 'IMAGE_UNREACHABLE' });
  });

  it('has no issue when its header is fine and the rest does not arrive in time', async () => {
    const bytes = await imageBytes();
    const begin: RequestListener = (_request, response) => response.write(bytes.subarray(0, 20_000));
    const { code } = await lookAt(begin, inspectHastily);
    expect(code).toBe(null);
  });
});

test('only the header is fetched of an image with a declared size', async () => {
  const bytes = await pngOf(9 * MB);
  // Its header and the beginning of its pixels, and no end.
  const start = Buffer.concat([bytes.subarray(0, 33), (await imageBytes()).subarray(33, 20_000)]);
  const closed = deferred();
  const { code } = await lookAt((_request, response) => {
    response.once('close', closed.resolve);
    response.writeHead(200, { 'content-length': bytes.length }).write(start);
  });
  expect(code).toBe(null);
  await named('the end of the connection', closed.promise);
});

test('an endless body is aborted after 10 MB', async () => {
  const jpeg = await imageBytes('jpeg');
  const closed = deferred();
  const { code } = await lookAt((_request, response) => {
    response.once('close', closed.resolve);
    response.write(jpeg.subarray(0, -2));
    // Over a connection that was cut each write fails at once, before anybody can hear of its end.
    const more = (error?: Error | null): void => {
      if (error || response.destroyed) return;
      response.write(Buffer.alloc(256 * 1024, 1), more);
    };
    more();
  });
  expect(code).toBe('IMAGE_TOO_LARGE');
  await named('the end of the connection', closed.promise);
});

test('an image with a content encoding that we did not ask for is left to the provider', async () => {
  const bytes = gzipSync(await imageBytes());
  const { code } = await lookAt((_request, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(bytes),
  );
  expect(code).toBe(null);
});

test('each owner may have sixteen images checked at a time', async () => {
  const bytes = await imageBytes();
  const gate = deferred();
  const server = await startImageServer((_request, response) => {
    gate.promise.then(
      () => response.end(bytes),
      () => undefined,
    );
  });
  const url = `http://127.0.0.1:${server.port}/`;
  const adas = Array.from({ length: 16 }, () => look('ada', url));
  const bens = look('ben', url);
  await expect(look('ada', url)).rejects.toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }) as Error);
  gate.resolve();
  expect(await Promise.all([...adas, bens])).toEqual(Array.from({ length: 17 }, () => null));
  expect(await look('ada', url)).toBe(null);
});

test('an image that was uploaded here is not fetched', async () => {
  const server = await startImageServer((_request, response) => response.end());
  expect(await look('ada', `http://127.0.0.1:${server.port}/uploaded.png`)).toBe(null);
  expect(server.connections()).toBe(0);
});
