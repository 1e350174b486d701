import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { judgeRoom } from '../../src/cli/doctor/archive.ts';
import { quickDir } from '../kit/gateway.ts';
import { S3_SECRET, s3Env, startS3 } from '../kit/s3-server.ts';
import { onTestEnd } from '../kit/waits.ts';
import { examine } from './examine.ts';

type Env = Readonly<Record<string, string>>;

describe('doctor says of the copies of videos', () => {
  it('where the disk keeps them, and makes nothing there', async () => {
    const DATA_DIR = await quickDir();
    expect((await examine({ DATA_DIR })).of('archive')).toEqual([
      expect.stringMatching(/^ok videos are kept in .*\/videos; \d+ MiB are free$/),
    ]);
    expect(await readdir(DATA_DIR)).toEqual([]);
  });

  it('that their directory cannot be written to', async () => {
    const DATA_DIR = await quickDir();
    await writeFile(join(DATA_DIR, 'videos'), '');
    expect((await examine({ DATA_DIR })).of('archive')[0]).toMatch(
      /^failure .*\/videos cannot be written to \(it is not a directory\) -> Make it a directory/,
    );
  });

  it.each([
    [5 * 1024 ** 3, 'ok'],
    [5 * 1024 ** 3 - 1, 'warning'],
    [512 * 1024 ** 2, 'warning'],
    [512 * 1024 ** 2 - 1, 'failure'],
  ])('with %i free bytes: %s', (bytes, status) => {
    const finding = judgeRoom('kept in ./data/videos', bytes);
    expect([finding.status, finding.mend !== null]).toEqual([status, status !== 'ok']);
  });

  it.each<[string, Env]>([
    ['ARCHIVE is off', { ARCHIVE: 'off' }],
    ['PostgreSQL has them off', { DATABASE_URL: 'postgres://127.0.0.1:1/none' }],
  ])('what is lost if %s with a key of kie.ai, and that nothing is without one', async (_, env) => {
    const DATA_DIR = await quickDir();
    const found = await examine({ KIE_API_URL: 'http://127.0.0.1:1', DATA_DIR, ...env, KIE_API_KEY: 'key' });
    expect(found.of('archive')[0]).toMatch(
      /^warning no copies .* kie\.ai deletes each video .* -> Set ARCHIVE/,
    );
    expect((await examine({ DATA_DIR, ...env })).of('archive')[0]).toMatch(
      /^ok no copies of videos are kept/,
    );
  });

  it('that S3 stores and serves objects, and leaves none behind', async () => {
    const [s3, DATA_DIR] = [await startS3(), await quickDir()];
    const { of, printed } = await examine({ DATA_DIR, ...s3Env(s3.url) });
    expect(of('archive')[0]).toMatch(/^ok videos are kept in S3 at 127\.0\.0\.1:\d+\/bucket\/some\/prefix; /);
    expect(s3.requests.map((request) => request.split(' ')[0])).toEqual(['PUT', 'GET', 'DELETE']);
    expect(s3.objects.size).toBe(0);
    expect(printed).not.toContain(S3_SECRET);
  });

  it.each<[string, Env, number, RegExp]>([
    ['the secret is wrong', { AWS_SECRET_ACCESS_KEY: 'hush' }, 0, /SignatureDoesNotMatch .* -> .*AWS_SECRET/],
    [
      'the key is wrong',
      { AWS_ACCESS_KEY_ID: 'AKIAOTHER' },
      0,
      /InvalidAccessKeyId .* -> .*AWS_ACCESS_KEY_ID/,
    ],
    ['the clock is wrong', {}, 3_600_000, /RequestTimeTooSkewed .* -> .*clock/],
  ])('why S3 refuses: %s', async (_, env, aheadMs, expected) => {
    const [s3, DATA_DIR] = [await startS3(), await quickDir()];
    s3.now = () => Date.now() + aheadMs;
    const { of, printed, status } = await examine({ DATA_DIR, ...s3Env(s3.url), ...env });
    expect([status, of('archive')[0]]).toEqual(['failure', expect.stringMatching(expected)]);
    expect(printed).not.toMatch(/hush|the-secret-of/);
  });

  it('that there is no bucket, nothing that listens, or no answer in time', async () => {
    const [s3, DATA_DIR] = [await startS3(), await quickDir()];
    const { origin } = new URL(s3.url);
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    onTestEnd(() => {
      silent.close();
    });
    const { port } = silent.address() as AddressInfo;
    const lookAt = async (url: string): Promise<string | undefined> =>
      (await examine({ DATA_DIR, ...s3Env(url) })).of('archive')[0];
    expect(await lookAt(`${origin}/elsewhere`)).toMatch(/^failure .*NoSuchBucket .* -> Create the bucket/);
    expect(await lookAt('http://127.0.0.1:1/bucket')).toMatch(
      /^failure S3 .* cannot be reached: .* -> Check/,
    );
    expect(await lookAt(`http://127.0.0.1:${port}/bucket`)).toMatch(
      /^failure .* did not answer within 8 s -> /,
    );
  });
});
