import type { Locator } from 'playwright-core';
import { expect, test } from 'vitest';
import { startArchive } from '../../archive/archived.ts';
import { launchBrowser, openPage, PATIENCE, useDashboard, usePlayer } from '../../kit/browser.ts';
import { gappedVideo } from '../../kit/gapped-video.ts';
import { temporaryDir } from '../../kit/gateway.ts';
import { imageBytes } from '../../kit/images.ts';
import { created, resultJson } from '../../kit/kie.ts';
import { freePort, startBuilt } from '../../kit/process.ts';
import { startFakeProvider, type Answer, type ProviderRequest } from '../../kit/provider.ts';
import { s3Env, startS3 } from '../../kit/s3-server.ts';
import { realVideo } from '../../kit/video-file.ts';
import { deferred, oncePerFile } from '../../kit/waits.ts';
import { callBack, createTask, servedBy } from '../client.ts';

const browser = await oncePerFile(launchBrowser)();

const VIDEO = realVideo();
const WIDTH = 1280;
const KEPT = `Kept here (${(VIDEO.length / 1000).toFixed(1)} kB)`;
const NOT_COPIED = 'larger than 1000 bytes';
const DAY_MS = 86_400_000;

async function open(url: string, options: Parameters<typeof openPage>[2] = {}) {
  const opened = await openPage(browser, url, options);
  const viewer = useDashboard(opened.page);
  await viewer.connected('live');
  return { ...opened, ...viewer };
}

/** A gateway whose videos have addresses that a browser reaches. */
async function startReachable(env: Readonly<Record<string, string>> = {}) {
  const PORT = String(await freePort());
  return startArchive({ PORT, PUBLIC_URL: `http://127.0.0.1:${PORT}`, ...env });
}

/** What a server that takes ranges answers with these bytes. */
function ranged(bytes: Buffer, { headers }: ProviderRequest): Answer {
  const [, start] = /^bytes=(\d+)-/.exec(headers.range ?? '') ?? [];
  const type = { 'content-type': 'video/mp4', 'accept-ranges': 'bytes' };
  if (start === undefined) return { body: bytes, headers: type };
  const range = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
  return { status: 206, body: bytes.subarray(Number(start)), headers: { ...type, 'content-range': range } };
}

function isGateway({ headers }: ProviderRequest): boolean {
  return String(headers['user-agent']).startsWith('kineograph/');
}

test.each([
  ['en-GB', 1280, 'Being copied…', KEPT],
  ['en-GB', 320, 'Being copied…', KEPT],
  ['zh-CN', 320, '正在保存副本…', '已保存（'],
])(
  'in %s on %d pixels a video plays while it is copied, and its card says so and then that it is kept, where it stands',
  async (locale, width, copying, kept) => {
    const scene = await startReachable();
    const gate = deferred();
    scene.provider.always('video', (request) => ({
      ...ranged(VIDEO, request),
      ...(isGateway(request) && { gate: gate.promise }),
    }));
    const { audit, page } = await open(scene.gateway.url, { locale, viewport: { width, height: 800 } });
    await scene.succeed('one.mp4');
    const card = page.locator('li.task[data-state="SUCCESS"]');
    await card.locator('[data-archive="PENDING"]').getByText(copying).waitFor();
    await card.locator('[data-archive] time').waitFor();
    expect(await audit()).toEqual([]);
    const player = usePlayer(card.locator('video'));
    await player.play();
    const before = await card.boundingBox();

    gate.resolve();
    await card.locator('[data-archive="STORED"]').getByText(kept).waitFor();
    expect(await card.boundingBox()).toEqual(before);
    expect(await player.now()).toMatchObject({ hasPlayed: true, isPaused: false, problem: null });
    expect(await audit()).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
  },
);

const KEEP = { ARCHIVE_KEEP_DAYS: '30' };

test.each<[string, Readonly<Record<string, string>>, readonly string[], string, 'source' | 'copy']>([
  ['is kept for some days', KEEP, [KEPT, 'until'], 'Download', 'copy'],
  [
    'could not be copied',
    { ARCHIVE_MAX_VIDEO_BYTES: '1000' },
    ['Could not be copied', NOT_COPIED, 'at the provider until'],
    'Open the video',
    'source',
  ],
  [
    'had its copy deleted',
    { ARCHIVE_MAX_BYTES: '1000' },
    ['Copy deleted', 'at the provider until'],
    'Open the video',
    'source',
  ],
  ['is not kept', { ARCHIVE: 'off' }, ['Not kept here', 'at the provider until'], 'Open the video', 'source'],
])(
  'a video that %s says so on its card and on its page, and plays from where it is',
  async (_, env, texts, link, from) => {
    const scene = await startReachable(env);
    scene.provider.always('freshUrl', { body: { code: 422, msg: 'no' } });
    scene.provider.always('video', (request) => ranged(VIDEO, request));
    const { audit, page } = await open(scene.gateway.url);
    const id = await scene.succeed('one.mp4');
    const source = `${scene.provider.url}/results/one.mp4`;
    const shows = async (place: Locator): Promise<void> => {
      const archive = place.locator('[data-archive]');
      await archive.filter({ hasText: texts[0] ?? '' }).waitFor();
      for (const text of texts) expect(await archive.innerText()).toContain(text);
      const href = await place.getByRole('link', { name: link }).getAttribute('href');
      if (from === 'source') expect(href).toBe(source);
      else expect(href).toMatch(new RegExp(`^${scene.gateway.url}/videos/${id}/0/[^/]+\\.mp4\\?download=1$`));
      await usePlayer(place.locator('video')).play();
      expect(await audit()).toEqual([]);
    };
    await shows(page.locator('li.task'));
    await page.getByRole('link', { name: 'Details' }).click();
    await shows(page.locator('article'));
    const facts = await page.locator('dl > div').allInnerTexts();
    expect(facts.some((fact) => fact.startsWith(`URL at the provider\n${source}`))).toBe(true);
  },
);

test('a video that was lost offers no address once the provider may have deleted it, and takes the same room', async () => {
  const scene = await startReachable({ ARCHIVE_MAX_VIDEO_BYTES: '1000' });
  scene.provider.always('freshUrl', { body: { code: 422, msg: 'no' } });
  scene.provider.always('video', (request) => ranged(VIDEO, request));
  await scene.reaches(await scene.succeed('one.mp4'), 'LOST');
  const later = await browser.newContext();
  const page = await later.newPage();
  await page.clock.setFixedTime(Date.now() + 2 * DAY_MS);
  await page.goto(scene.gateway.url);
  const archive = page.locator('[data-archive="LOST"]');
  await archive.waitFor();
  for (const text of ['Lost: it could not be copied', NOT_COPIED, 'may have deleted it since'])
    expect(await archive.innerText()).toContain(text);
  const card = page.locator('li.task');
  expect(await card.getByRole('link').allInnerTexts()).toEqual(['Details']);
  expect(await card.locator('video').getAttribute('src')).toBe(null);
  expect(await card.locator('video').getAttribute('controls')).toBe(null);
  const box = await card.locator('video').boundingBox();
  expect(Math.abs((box?.width ?? 0) / (box?.height ?? 1) - 16 / 9)).toBeLessThan(0.1);
  expect(await useDashboard(page).audit()).toEqual([]);
  await later.close();
});

test('a video of the sandbox is kept, plays from the gateway and is saved under a name made of its prompt', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir(), ARCHIVE: 'disk' });
  const { create, fill, page, reaches, troubles } = await open(gateway.url, { acceptDownloads: true });
  const headers = { 'content-type': 'image/png' };
  const body = new Uint8Array(await imageBytes());
  const uploaded = await fetch(`${gateway.url}/uploads`, { method: 'POST', headers, body });
  await fill('a page turns [sandbox: duration=1s]', ((await uploaded.json()) as { url: string }).url);
  await create();
  const card = await reaches('a page turns', 'SUCCESS');
  await card.locator('[data-archive="STORED"]').getByText(KEPT).waitFor();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    card.getByRole('link', { name: 'Download' }).click(),
  ]);
  expect(download.suggestedFilename()).toBe('a-page-turns-sandbox-duration-1s.mp4');
  const saved: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) saved.push(chunk as Buffer);
  expect(Buffer.concat(saved).equals(VIDEO)).toBe(true);
  await usePlayer(card.locator('video')).play();

  await card.getByRole('link', { name: 'Details' }).click();
  await page.locator('dl').waitFor();
  const facts = await page.locator('dl > div').allInnerTexts();
  expect(facts.find((fact) => fact.startsWith('Video file'))).toMatch(/\n\d+ × \d+ · [\d.]+ s · 234\.9 kB$/);
  expect(facts.some((fact) => fact.startsWith('Stored\n'))).toBe(true);
  expect(troubles()).toEqual([]);
});

test.each(['disk', 's3'] as const)(
  'a browser seeks in a video stored on %s: it asks for the part that it needs and does not read up to it',
  async (archive) => {
    const gap = 30_000_000;
    const bytes = gappedVideo(gap);
    const provider = await startFakeProvider();
    provider.always('video', (request) => (isGateway(request) ? { body: bytes } : { status: 404 }));
    const PORT = String(await freePort());
    const s3 = await startS3();
    const gateway = await startBuilt({
      ...servedBy(provider),
      PORT,
      PUBLIC_URL: `http://127.0.0.1:${PORT}`,
      DATA_DIR: await temporaryDir(),
      ...(archive === 's3' ? s3Env(s3.url) : { ARCHIVE: archive }),
    });
    const { page } = await open(gateway.url);
    const parts: string[] = [];
    page.on('response', (response) => {
      if (response.status() === 206) parts.push(response.headers()['content-range'] ?? '');
    });
    provider.answer('createTask', created('kie-1'));
    await createTask(gateway.graphqlUrl, { prompt: 'seek in it' });
    await callBack(gateway.url, await provider.received('createTask'), 'kie-1', {
      resultJson: resultJson(`${provider.url}/results/one.mp4`),
    });
    const card = page.locator('li.task').filter({ has: page.locator('[data-archive="STORED"]') });
    await card.waitFor();
    await page.reload();
    const player = usePlayer(card.locator('video'));
    expect((await player.now()).problem).toBe(null);
    const isBehindGap = (part: string): boolean => Number(/^bytes (\d+)-/.exec(part)?.[1]) > gap - 1_000_000;
    expect(await player.seek(0.75)).toBeCloseTo(0.75, 2);
    await expect.poll(() => parts.some(isBehindGap), PATIENCE).toBe(true);
    expect(await player.seek(0)).toBe(0);
    await player.play();
    expect(await player.now()).toMatchObject({ problem: null, width: WIDTH });
  },
);
