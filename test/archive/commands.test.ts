import { createHash } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { runProgram } from '../../src/cli/program.ts';
import { quickDir } from '../kit/gateway.ts';
import { S3_SECRET, s3Env, startS3 } from '../kit/s3-server.ts';
import { inSqlite, queryDatabase, temporaryDatabase } from '../kit/store.ts';
import { videoFile } from '../kit/video-file.ts';
import { startArchive } from './archived.ts';

type Env = Readonly<Record<string, string>>;

/** What a command prints, and its exit code. */
async function run(line: string, env: Env): Promise<{ code: unknown; printed: string }> {
  const output = new PassThrough();
  let code: unknown = 0;
  const exit = (given: unknown): void => {
    code = given;
  };
  const surroundings = { env, stdout: output, stderr: output, exit, exitCode: undefined as unknown };
  await runProgram(line.split(' '), surroundings as unknown as NodeJS.Process);
  return { code: surroundings.exitCode ?? code, printed: String(output.read() ?? '') };
}

interface Place {
  readonly env: Env;
  readonly dataDir: string;
  /** How often each object was read. */
  reads(): readonly string[];
  object(name: string): Promise<Buffer>;
  replace(name: string, bytes: Buffer | null): Promise<void>;
  sql(statement: string): Promise<void>;
}

/** The embedded store with copies on disk. */
async function onDisk(): Promise<Place> {
  const dataDir = await quickDir();
  const pathOf = (name: string): string => join(dataDir, 'videos', `${name}.mp4`);
  return {
    dataDir,
    env: { ARCHIVE: 'disk', DATA_DIR: dataDir },
    reads: () => [],
    object: (name) => readFile(pathOf(name)),
    replace: (name, bytes) => (bytes ? writeFile(pathOf(name), bytes) : rm(pathOf(name))),
    sql(statement) {
      inSqlite(dataDir, (database) => {
        database.exec(statement);
      });
      return Promise.resolve();
    },
  };
}

/** PostgreSQL with copies in S3. */
async function inS3(): Promise<Place> {
  const [s3, dataDir, DATABASE_URL] = [await startS3(), await quickDir(), await temporaryDatabase()];
  return {
    dataDir,
    env: {
      ...s3Env(s3.url),
      DATABASE_URL,
      DATA_DIR: dataDir,
    },
    reads: () => s3.requests.filter((request) => request.startsWith('GET')),
    object: (name) => Promise.resolve(s3.objects.get(`${name}.mp4`) ?? Buffer.alloc(0)),
    replace(name, bytes) {
      if (bytes) s3.objects.set(`${name}.mp4`, bytes);
      else s3.objects.delete(`${name}.mp4`);
      return Promise.resolve();
    },
    async sql(statement) {
      await queryDatabase(DATABASE_URL, statement);
    },
  };
}

const PLACES: readonly (readonly [string, () => Promise<Place>])[] = [
  ['a data directory', onDisk],
  ['PostgreSQL and S3', inS3],
];

const VIDEO = videoFile({ bytes: 50_000 });

describe.each(PLACES)('beside a running gateway on %s, archive check', (_, open) => {
  it('reads every object once, and says that all copies are right', async () => {
    const place = await open();
    const { provider, reaches, succeed } = await startArchive(place.env, {}, place.dataDir);
    provider.always('video', ({ path }) => ({
      body: path.includes('same') ? VIDEO : videoFile({ bytes: 60_000 }),
    }));
    for (const path of ['same-1.mp4', 'same-2.mp4', 'other.mp4'])
      await reaches(await succeed(path), 'STORED');
    expect(await run('archive check', place.env)).toEqual({
      code: 0,
      printed: 'Read 2 objects with 110000 bytes, for 3 copies: 0 wrong.\n',
    });
    const reads = place.reads();
    expect(new Set(reads).size).toBe(reads.length);
  });

  it.each<[string, (place: Place, name: string, id: string) => Promise<void>, RegExp]>([
    ['is missing', (place, name) => place.replace(name, null), /is missing/],
    ['is empty', (place, name) => place.replace(name, Buffer.alloc(0)), /has 0 of 50000 bytes/],
    ['is cut', (place, name) => place.replace(name, VIDEO.subarray(0, 40_000)), /has 40000 of 50000 bytes/],
    [
      'is longer',
      (place, name) => place.replace(name, Buffer.concat([VIDEO, VIDEO])),
      /has more than 50000 bytes/,
    ],
    [
      'has one other byte',
      async (place, name) => {
        const bytes = Buffer.from(await place.object(name));
        bytes.writeUInt8(bytes.readUInt8(49_999) ^ 1, 49_999);
        await place.replace(name, bytes);
      },
      /has other bytes than were stored/,
    ],
    [
      'belongs to no task',
      (place, _name, id) => place.sql(`delete from tasks where id = '${id}'`),
      /is of a task that is not in the store/,
    ],
    [
      'has another hash in its task',
      (place, _name, id) =>
        place.sql(
          `update tasks set videos = replace(videos, '"sha256":"', '"sha256":"00') where id = '${id}'`,
        ),
      /the task names another hash/,
    ],
  ])('names the task of a copy that %s, and no other', async (_, spoil, fault) => {
    const place = await open();
    const { provider, reaches, succeed } = await startArchive(place.env, {}, place.dataDir);
    provider.always('video', ({ path }) => ({
      body: path.includes('good') ? videoFile({ bytes: 60_000 }) : VIDEO,
    }));
    const good = await succeed('good.mp4');
    await reaches(good, 'STORED');
    const id = await succeed('bad.mp4');
    const { video } = await reaches(id, 'STORED');
    await spoil(place, `${id}-0`, id);
    const { code, printed } = await run('archive check', place.env);
    const [line = '', end, ...rest] = printed.split('\n');
    expect([code, line, rest]).toEqual([1, expect.stringMatching(fault), ['']]);
    expect(line).toContain(`task ${id}, video 0: `);
    expect(end).toMatch(/^Read 2 objects .* for 2 copies: 1 wrong\.$/);
    expect(printed).not.toContain(new URL(video.url).pathname.split('/')[4]);
  });
});

describe('archive check', () => {
  it('leaves a copy that is being made alone', async () => {
    const place = await onDisk();
    const scene = await startArchive(place.env, {}, place.dataDir);
    let arrive = (): void => undefined;
    const gate = new Promise<void>((resolve) => (arrive = resolve));
    scene.provider.answer('video', { body: VIDEO, cutBodyAfterBytes: 1000 }, { body: VIDEO, gate });
    const id = await scene.succeed('one.mp4');
    await scene.provider.received('video');
    await scene.provider.received('video');
    expect((await run('archive check', place.env)).code).toBe(0);
    arrive();
    const { video } = await scene.reaches(id, 'STORED');
    expect(video.archive.sha256).toBe(createHash('sha256').update(VIDEO).digest('hex'));
  });

  it.each<[string, Env, RegExp]>([
    ['no copies are kept', { ARCHIVE: 'off' }, /ARCHIVE is off: no copies are kept/],
    ['there is no store', { ARCHIVE: 'disk' }, /There is no store in DATA_DIR/],
    ['S3 cannot be reached', {}, /S3 at 127\.0\.0\.1:1 cannot be reached/],
  ])('fails and says why if %s', async (_, env, reason) => {
    const place = await inS3();
    const { reaches, succeed, provider } = await startArchive(place.env, {}, place.dataDir);
    provider.always('video', { body: VIDEO });
    await reaches(await succeed('one.mp4'), 'STORED');
    const base = Object.keys(env).length > 0 ? { DATA_DIR: await quickDir() } : place.env;
    const { code, printed } = await run('archive check', {
      ...base,
      ...(base === place.env && { ARCHIVE_S3_URL: 'http://127.0.0.1:1/bucket' }),
      ...env,
    });
    expect([code, printed]).toEqual([1, expect.stringMatching(reason)]);
    expect(printed).not.toContain(S3_SECRET);
  });
});

/** The provider has deleted videos whose first attempt fails. */
const LOSING = { archiveTimings: { providerKeeps: 0 } };

describe('archive retry', () => {
  it('is refused while a gateway runs on the data directory, and has it copy lost videos at its next start', async () => {
    const place = await onDisk();
    const first = await startArchive(place.env, LOSING, place.dataDir);
    first.provider.always('freshUrl', { body: { code: 422, msg: 'no' } });
    first.provider.always('video', { status: 404 });
    const id = await first.succeed('one.mp4');
    const lost = await first.reaches(id, 'LOST');
    const refused = await run('archive retry --all', place.env);
    expect(refused).toEqual({
      code: 1,
      printed: expect.stringMatching(/in use by another .* Stop that one/) as string,
    });
    await first.gateway.close();
    first.provider.always('video', { body: VIDEO });
    expect(await run('archive retry --all', place.env)).toEqual({
      code: 0,
      printed: 'Retrying 1 lost video of 1 task. The gateway copies them after its next start.\n',
    });
    const second = await startArchive(
      { ...place.env, KIE_API_URL: first.provider.url },
      LOSING,
      place.dataDir,
    );
    const { revision } = await second.reaches(id, 'STORED');
    // The retry itself is a change, and so is the copy.
    expect(revision - lost.revision).toBeGreaterThanOrEqual(2);
  });

  it('has running gateways on PostgreSQL copy the lost videos of one task', async () => {
    const place = await inS3();
    const { provider, reaches, succeed } = await startArchive(place.env, LOSING, place.dataDir);
    provider.always('freshUrl', { body: { code: 422, msg: 'no' } });
    provider.always('video', { status: 404 });
    const ids = [await succeed('one.mp4', 'two.mp4'), await succeed('three.mp4')] as const;
    for (const id of ids) await reaches(id, 'LOST');
    expect(await run('archive retry nobody', place.env)).toEqual({
      code: 1,
      printed: 'kineograph: There is no task nobody in the store.\n',
    });
    await expect.poll(async () => (await reaches(ids[0], 'LOST')).videos[1]?.archive.state).toBe('LOST');
    provider.always('video', { body: VIDEO });
    expect(await run(`archive retry ${ids[0]}`, place.env)).toEqual({
      code: 0,
      printed: 'Retrying 2 lost videos of 1 task. The running gateways copy them.\n',
    });
    await reaches(ids[0], 'STORED');
    await reaches(ids[1], 'LOST');
    expect((await run(`archive retry ${ids[0]}`, place.env)).printed).toBe(
      `No video of task ${ids[0]} is lost.\n`,
    );
    expect((await run('archive retry --all', place.env)).printed).toMatch(/^Retrying 1 lost video of 1 task/);
    await reaches(ids[1], 'STORED');
    expect((await run('archive retry --all', place.env)).printed).toBe('No video is lost.\n');
  });
});
