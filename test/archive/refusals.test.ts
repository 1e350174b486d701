import { describe, expect, it } from 'vitest';
import { s3Env, S3Error, startS3 } from '../kit/s3-server.ts';
import { readScrape } from '../metrics/scrape.ts';
import { videoFile } from '../kit/video-file.ts';
import { staysPending } from '../kit/waits.ts';
import { startArchive } from './archived.ts';

const HOUR = 3_600_000;

/** A gateway with copies in an S3 that refuses some objects. */
async function startRefused(timings: NonNullable<Parameters<typeof startArchive>[1]>['archiveTimings']) {
  const s3 = await startS3();
  const env = {
    ...s3Env(s3.url),
    ARCHIVE_CONCURRENCY: '2',
  };
  const scene = await startArchive(env, { archiveTimings: { storagePause: HOUR, ...timings } });
  scene.provider.always('video', () => ({ body: videoFile() }));
  const refuse = (refuses: (key: string) => boolean): void => {
    s3.onPut = (_, key) => {
      return refuses(key) ? Promise.reject(new S3Error(403, 'AccessDenied')) : Promise.resolve();
    };
  };
  return { ...scene, s3, refuse };
}

describe('an object that the storage refuses', () => {
  it('is tried again while other videos are copied, those of its task included, and is not lost', async () => {
    // The provider has deleted every video by now.
    const { reaches, refuse, s3, succeed } = await startRefused({ providerKeeps: 0, lease: 30 });
    refuse((key) => key.endsWith('-0.mp4'));
    const id = await succeed('one.mp4', 'two.mp4');
    const tries = () => s3.requests.filter((request) => request === `PUT ${id}-0.mp4`).length;
    await expect.poll(tries).toBeGreaterThan(3);
    await expect.poll(async () => (await reaches(id, 'PENDING')).videos[1]?.archive.state).toBe('STORED');
    refuse((key) => key === `${id}-0.mp4`);
    await reaches(await succeed('other.mp4'), 'STORED');
    refuse(() => false);
    await reaches(id, 'STORED');
  });
});

describe('a storage that refuses several tasks', () => {
  it('is left alone for a while', async () => {
    const { gateway, provider, refuse, succeed } = await startRefused({
      firstRetry: HOUR,
      longestRetry: HOUR,
    });
    refuse(() => true);
    await succeed('one.mp4');
    await succeed('two.mp4');
    const refusals = async () => {
      const scraped = readScrape(await (await fetch(`${gateway.url}/metrics`)).text());
      return scraped.value('kineograph_video_copies_total{outcome="storage-failed"}');
    };
    await expect.poll(refusals).toBe(2);
    await succeed('three.mp4');
    await staysPending(
      provider.received('video', ({ path }) => path.endsWith('three.mp4')),
      200,
    );
  });
});
