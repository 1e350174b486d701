import { expect, test } from 'vitest';
import { HMAC_KEY, startReplica } from '../kit/gateway.ts';
import { created, resultJson } from '../kit/kie.ts';
import { runBuilt } from '../kit/process.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { s3Env, startS3 } from '../kit/s3-server.ts';
import { emptyDatabase, queryDatabase } from '../kit/store.ts';
import { videoFile } from '../kit/video-file.ts';
import { deferred } from '../kit/waits.ts';
import { callBack, createTask } from './client.ts';

const VIDEOS = 50;
const CONCURRENCY = 4;

test('two replicas on PostgreSQL and S3 request each video once, and store it once', async () => {
  const [databaseUrl, provider, s3] = [await emptyDatabase(), await startFakeProvider(), await startS3()];
  const env = {
    KIE_API_URL: provider.url,
    KIE_WEBHOOK_HMAC_KEYS: HMAC_KEY,
    KIE_CREATES_PER_10S: '1000',
    PUBLIC_URL: 'https://gateway.example.test',
    ...s3Env(s3.url),
    ARCHIVE_CONCURRENCY: String(CONCURRENCY),
  };
  // Nothing arrives before both of them copy as much as they may.
  const bothCopy = deferred('both replicas to copy');
  const paths: string[] = [];
  provider.always('video', ({ path }) => {
    if (paths.push(path) === 2 * CONCURRENCY) bothCopy.resolve();
    return { body: videoFile(), gate: bothCopy.promise };
  });
  let count = 0;
  provider.always('createTask', () => created(`kie-${(count += 1)}`));
  const replicas = await Promise.all(['r1', 'r2'].map((name) => startReplica(name, { databaseUrl, env })));
  const [first, second] = replicas;
  if (!first || !second) throw new Error('there are two replicas');

  for (let number = 1; number <= VIDEOS; number += 1) {
    await createTask(first.graphqlUrl, { prompt: `video ${number}` });
    const fields = { resultJson: resultJson(`${provider.url}/results/${number}.mp4`) };
    const create = await provider.received('createTask');
    await callBack((number % 2 === 0 ? first : second).url, create, `kie-${number}`, fields);
  }
  const stored = () => queryDatabase(databaseUrl, 'select object from video_copies where is_doomed = 0');
  await expect.poll(async () => (await stored()).length, { timeout: 60_000 }).toBe(VIDEOS);

  expect(paths.toSorted()).toEqual(
    Array.from({ length: VIDEOS }, (_, number) => `/results/${number + 1}.mp4`).toSorted(),
  );
  const puts = (await stored()).map(({ object }) => `PUT ${String(object)}.mp4`);
  expect(s3.requests.toSorted()).toEqual(puts.toSorted());
  const check = await runBuilt(['archive', 'check'], {
    ...env,
    KIE_API_KEY: 'r3',
    DATABASE_URL: databaseUrl,
  });
  expect([check.code, check.stdout]).toEqual([0, expect.stringMatching(/for 50 copies: 0 wrong/)]);
});
