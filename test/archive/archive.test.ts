import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freshUrl } from '../kit/kie.ts';
import type { Answer } from '../kit/provider.ts';
import { videoFile } from '../kit/video-file.ts';
import { startArchive, type ApiVideo } from './archived.ts';

const VIDEO = videoFile({ bytes: 50_000, width: 400 });
const SHA256 = createHash('sha256').update(VIDEO).digest('hex');
const WHOLE: Answer = { body: VIDEO };

/** The files in the directory of copies, those in the making included. */
async function filesIn(dataDir: string): Promise<string[]> {
  const entries = await readdir(join(dataDir, 'videos'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

describe('a copy', () => {
  it('is stored, verified and told as a change of the task, whose state and URL stay', async () => {
    const scene = await startArchive();
    let arrived = (): void => undefined;
    const gate = new Promise<void>((resolve) => (arrived = resolve));
    scene.provider.answer('video', { ...WHOLE, gate });
    const id = await scene.succeed('one.mp4');
    const before = await scene.reaches(id, 'PENDING');
    expect(before.video).toMatchObject({ sourceUrl: `${scene.provider.url}/results/one.mp4` });
    expect(before.video.url).toMatch(/^https:\/\/gateway\.example\.test\/videos\//);
    const redirected = await scene.get(before.video);
    expect([redirected.status, redirected.headers.get('location')]).toEqual([307, before.video.sourceUrl]);
    arrived();
    const { revision, state, video } = await scene.reaches(id, 'STORED');
    expect({ state, isNewer: revision > before.revision }).toEqual({ state: 'SUCCESS', isNewer: true });
    expect(video).toEqual({
      ...before.video,
      expiresAt: null,
      archive: { state: 'STORED', bytes: VIDEO.length, sha256: SHA256, width: 400, message: null },
    });
    const served = await scene.get(video);
    expect(Buffer.from(await served.arrayBuffer()).equals(VIDEO)).toBe(true);
    await expect.poll(() => filesIn(scene.gateway.dataDir)).toEqual([`${id}-0.mp4`]);
  });

  it.each<[string, readonly Answer[]]>([
    ['that is not there yet', [{ status: 404 }]],
    ['that its server cannot serve', [{ status: 500 }]],
    ['that is an HTML page', [{ body: '<html>Not here</html>', headers: { 'content-type': 'text/html' } }]],
    ['that is empty', [{ body: '' }]],
    ['that is cut and announced as whole', [{ body: VIDEO.subarray(0, 40_000) }]],
    ['that leads to a private address', [{ status: 302, headers: { location: 'http://127.0.0.1:1/a.mp4' } }]],
    ['whose connection breaks', [{ ...WHOLE, cutBodyAfterBytes: 1000 }, { status: 404 }]],
    ['that stalls', [{ hang: true }]],
  ])('of a video %s is made by a later attempt, and nothing wrong is stored', async (_, answers) => {
    const scene = await startArchive({}, { archiveTimings: { idle: 300 } });
    scene.provider.always('freshUrl', { body: { code: 422, msg: 'no' } });
    scene.provider.answer('video', ...answers);
    scene.provider.always('video', WHOLE);
    const id = await scene.succeed('one.mp4');
    const { state, video } = await scene.reaches(id, 'STORED');
    expect([state, video.archive.sha256]).toEqual(['SUCCESS', SHA256]);
    await expect.poll(() => filesIn(scene.gateway.dataDir)).toEqual([`${id}-0.mp4`]);
  });

  it('is made through the other URL that the provider gives for a refused one', async () => {
    const scene = await startArchive();
    scene.provider.always('video', ({ path }) => (path.endsWith('fresh.mp4') ? WHOLE : { status: 403 }));
    scene.provider.answer('freshUrl', freshUrl(`${scene.provider.url}/results/fresh.mp4`));
    const id = await scene.succeed('one.mp4');
    await scene.reaches(id, 'STORED');
    const asked = await scene.provider.received('freshUrl');
    expect(asked.body).toEqual({ url: `${scene.provider.url}/results/one.mp4` });
  });

  it.each<[string, Readonly<Record<string, string>>, RegExp]>([
    ['is too large', { ARCHIVE_MAX_VIDEO_BYTES: '49999' }, /larger than 49999 bytes/],
    ['is still refused when the provider deletes it', {}, /HTTP 404/],
  ])('of a video that %s is lost, and the task stays as it is', async (_, env, reason) => {
    const scene = await startArchive(env, { archiveTimings: { providerKeeps: 0 } });
    scene.provider.always('freshUrl', { body: { code: 422, msg: 'no' } });
    scene.provider.always('video', env['ARCHIVE_MAX_VIDEO_BYTES'] === undefined ? { status: 404 } : WHOLE);
    const id = await scene.succeed('one.mp4');
    const { state, video } = await scene.reaches(id, 'LOST');
    expect(state).toBe('SUCCESS');
    expect(video.archive.message).toMatch(reason);
    const response = await scene.get(video);
    expect([response.status, await response.json()]).toMatchObject([410, { code: 'VIDEO_LOST' }]);
    await expect.poll(() => filesIn(scene.gateway.dataDir)).toEqual([]);
  });

  it('shares its object with another one of the same bytes, which stays when the first is deleted', async () => {
    const scene = await startArchive({ ARCHIVE_MAX_BYTES: '120000' });
    scene.provider.always('video', ({ path }) =>
      path.includes('same') ? WHOLE : { body: videoFile({ bytes: 100_000 }) },
    );
    const first = await scene.succeed('same-1.mp4');
    await scene.reaches(first, 'STORED');
    const second = await scene.succeed('same-2.mp4');
    await scene.reaches(second, 'STORED');
    await expect.poll(() => filesIn(scene.gateway.dataDir)).toEqual([`${first}-0.mp4`]);
    // Both of them have to go before the third one fits.
    const third = await scene.succeed('other.mp4');
    await scene.reaches(third, 'STORED');
    const { video } = await scene.reaches(second, 'DELETED');
    await scene.reaches(first, 'DELETED');
    expect((await scene.get(video)).status).toBe(410);
    await expect.poll(() => filesIn(scene.gateway.dataDir)).toEqual([`${third}-0.mp4`]);
  });
});

describe('a stored video', () => {
  const HEADERS = [
    'content-type',
    'content-length',
    'content-range',
    'accept-ranges',
    'cache-control',
  ] as const;
  const last = VIDEO.length - 1;

  it.each<[string, RequestInit, number, Partial<Record<string, string>>]>([
    [
      'as a whole',
      {},
      200,
      { 'content-length': '50000', 'content-type': 'video/mp4', 'accept-ranges': 'bytes' },
    ],
    [
      'from the middle',
      { headers: { range: 'bytes=100-199' } },
      206,
      { 'content-range': `bytes 100-199/50000` },
    ],
    [
      'to its end',
      { headers: { range: 'bytes=49990-' } },
      206,
      { 'content-range': `bytes 49990-${last}/50000` },
    ],
    [
      'by its last bytes',
      { headers: { range: 'bytes=-10' } },
      206,
      { 'content-range': `bytes 49990-${last}/50000` },
    ],
    ['beyond its end', { headers: { range: 'bytes=50000-' } }, 416, { 'content-range': 'bytes */50000' }],
    ['by an invalid range', { headers: { range: 'bytes=9-1' } }, 200, { 'content-length': '50000' }],
    ['by several ranges', { headers: { range: 'bytes=0-1,5-6' } }, 200, { 'content-length': '50000' }],
    ['by the range of another version', { headers: { range: 'bytes=0-9', 'if-range': '"x"' } }, 200, {}],
    ['by the range of this version', { headers: { range: 'bytes=0-9', 'if-range': `"${SHA256}"` } }, 206, {}],
    ['that the client has', { headers: { 'if-none-match': `"x", W/"${SHA256}"` } }, 304, {}],
    [
      'without its body',
      { method: 'HEAD', headers: { range: 'bytes=0-9' } },
      200,
      { 'content-length': '50000' },
    ],
    ['with another method', { method: 'DELETE' }, 405, {}],
  ])('is served %s', async (_, init, status, headers) => {
    const { scene, video } = await stored();
    const response = await scene.get(video, init);
    const body = Buffer.from(await response.arrayBuffer());
    expect(response.status).toBe(status);
    expect(Object.fromEntries(HEADERS.map((name) => [name, response.headers.get(name)]))).toMatchObject(
      headers,
    );
    if (status === 200 && init.method !== 'HEAD') expect(body.equals(VIDEO)).toBe(true);
    const [, start, end] = /^bytes (\d+)-(\d+)/.exec(response.headers.get('content-range') ?? '') ?? [];
    if (status === 206) expect(body.equals(VIDEO.subarray(Number(start), Number(end) + 1))).toBe(true);
  });

  it('may be shown by pages of every origin, and is saved under a name made of the prompt', async () => {
    const { scene, video } = await stored();
    const { headers } = await scene.get(
      video,
      { headers: { origin: 'https://blog.example' } },
      '?download=1',
    );
    expect(headers.get('access-control-allow-origin')).toBe('*');
    expect(headers.get('access-control-allow-credentials')).toBeNull();
    expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin');
    expect(headers.get('content-disposition')).toMatch(/^attachment; filename="slow-push-in-snow/);
  });

  it('is there for nobody without its token, and no other place of the task has the same one', async () => {
    const { scene, video } = await stored();
    for (const url of [
      video.url.replace('/0/', '/1/'),
      video.url.replace(/.\.mp4$/, '.mp4'),
      '/videos/',
      '/videos/../x',
    ])
      expect((await scene.get({ ...video, url: new URL(url, scene.gateway.url).href })).status, url).toBe(
        404,
      );
  });
});

async function stored(): Promise<{
  readonly scene: Awaited<ReturnType<typeof startArchive>>;
  readonly video: ApiVideo;
}> {
  const scene = await startArchive();
  scene.provider.always('video', WHOLE);
  return { scene, video: (await scene.reaches(await scene.succeed('one.mp4'), 'STORED')).video };
}

it('without an archive the URL is that of the provider, and nothing is copied', async () => {
  const scene = await startArchive({ ARCHIVE: 'off' });
  const { video } = await scene.reaches(await scene.succeed('one.mp4'), 'OFF');
  expect(video.url).toBe(`${scene.provider.url}/results/one.mp4`);
  expect(scene.provider.requests('video')).toEqual([]);
});
