import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { VIDEOS, type ArchivedTask } from '../archive/archived.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { dataOf, graphql } from '../kit/graphql.ts';
import { created, resultJson } from '../kit/kie.ts';
import { bundle, runBuilt, startBuilt, type BuiltGateway } from '../kit/process.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { s3Env, startS3 } from '../kit/s3-server.ts';
import { videoFile } from '../kit/video-file.ts';
import { deferred, oncePerFile } from '../kit/waits.ts';
import { inSqlite } from '../kit/store.ts';
import { callBack, createTask, servedBy } from './client.ts';

const VIDEO = videoFile({ bytes: 3_000_000 });
const PATH = '/results/one.mp4';

/** How far a copy has come. */
const STEPS = [
  'while the video is being received',
  'when it is received, before it is an object',
  'when it is an object, before its row is written',
  'when its row is written',
] as const;
type Step = (typeof STEPS)[number];

const holdingRename = oncePerFile(() => bundle('test/kit/held-rename.ts'));
beforeAll(async () => {
  await holdingRename();
});

/** A gateway that is to be killed at a step, and where it keeps its data and copies. */
interface Scene {
  readonly env: Readonly<Record<string, string>> & { readonly DATA_DIR: string };
  /** For the gateway that is killed alone. */
  readonly holding: Readonly<Record<string, string>>;
  /** Resolves when the copy is kept from going on. */
  held(gateway: BuiltGateway): Promise<unknown>;
  /** Names of all objects. */
  objects(): Promise<readonly string[]>;
}

async function onDisk(step: Step): Promise<Scene> {
  const DATA_DIR = await temporaryDir();
  const when = { [STEPS[1]]: 'before', [STEPS[2]]: 'after' }[step as string];
  return {
    env: { ARCHIVE: 'disk', DATA_DIR },
    holding: when === undefined ? {} : { NODE_OPTIONS: `--import=${await holdingRename()}`, HOLD: when },
    held: (gateway) => gateway.logged('held'),
    objects: async () => (await readdir(join(DATA_DIR, 'videos'))).filter((name) => name !== 'tmp'),
  };
}

async function inS3(step: Step): Promise<Scene> {
  const s3 = await startS3();
  const holdAt = { [STEPS[1]]: 'receiving', [STEPS[2]]: 'stored' }[step as string];
  const reached = deferred('the upload');
  s3.onPut = async (moment) => {
    if (moment !== holdAt) return;
    s3.onPut = () => Promise.resolve();
    reached.resolve();
    // The server never answers the one that is killed.
    await new Promise(() => undefined);
  };
  return {
    env: {
      ...s3Env(s3.url),
      DATA_DIR: await temporaryDir(),
    },
    holding: {},
    held: () => reached.promise,
    objects: () => Promise.resolve([...s3.objects.keys()]),
  };
}

/** Starts a copy, kills the gateway at the step, and tells what the next one needs. */
async function killed(place: (step: Step) => Promise<Scene>, step: Step) {
  const provider = await startFakeProvider();
  const TMPDIR = await temporaryDir();
  const scene = await place(step);
  const env = { ...servedBy(provider), TMPDIR, ...scene.env };
  provider.answer('createTask', created('kie-1'));
  if (step === STEPS[0]) provider.answer('video', { body: VIDEO, holdBodyAfterBytes: 1_000_000 });
  provider.always('video', { body: VIDEO });
  const gateway = await startBuilt({ ...env, ...scene.holding });
  const { id } = await createTask(gateway.graphqlUrl);
  const create = await provider.received('createTask');
  await callBack(gateway.url, create, 'kie-1', { resultJson: resultJson(provider.url + PATH) });
  await reached(gateway);
  await gateway.end('SIGKILL');
  const at = STEPS.indexOf(step);
  // In S3 nothing has a name before it is an object.
  expect((await leftovers()).length).toBe(scene.env['ARCHIVE'] === 'disk' && at < 2 ? 1 : 0);
  expect(await scene.objects()).toEqual(at < 2 ? [] : [`${id}-0.mp4`]);
  return { ...scene, env, id, provider, leftovers };

  async function reached(at: BuiltGateway): Promise<void> {
    if (step === STEPS[0]) await provider.received('video');
    else if (step === STEPS[3]) await at.logged('video stored');
    else await scene.held(at);
  }

  /** Files in places for temporary ones. */
  async function leftovers(): Promise<readonly string[]> {
    const videos = await readdir(join(env.DATA_DIR, 'videos'), { recursive: true }).catch(() => []);
    return [...videos.filter((name) => name.startsWith('tmp/')), ...(await readdir(TMPDIR))];
  }
}

async function taskOf(gateway: BuiltGateway, id: string): Promise<ArchivedTask | null> {
  return dataOf((await graphql(gateway.graphqlUrl, VIDEOS, { id })).body).task;
}

async function stateOf(gateway: BuiltGateway, id: string): Promise<string | undefined> {
  return (await taskOf(gateway, id))?.videos[0]?.archive.state;
}

function countedBytes(dataDir: string): readonly unknown[] {
  return inSqlite<unknown[]>(dataDir, (database) =>
    database.prepare("select value from counters where name = 'archive_bytes'").all(),
  );
}

const PLACES = [
  ['on disk', onDisk],
  ['in S3', inS3],
] as const;
const CASES = PLACES.flatMap(([where, place]) => STEPS.map((step) => [where, step, place] as const));

test.each(CASES)(
  'a copy %s that is killed %s is made once, and leaves nothing else',
  async (_, step, place) => {
    const { env, id, leftovers, objects } = await killed(place, step);
    const gateway = await startBuilt(env);
    await expect.poll(() => stateOf(gateway, id), { timeout: 30_000 }).toBe('STORED');
    const [video] = (await taskOf(gateway, id))?.videos ?? [];
    const served = await fetch(gateway.url + new URL(video?.url ?? '').pathname);
    expect(Buffer.from(await served.arrayBuffer()).equals(VIDEO)).toBe(true);
    expect(await objects()).toEqual([`${id}-0.mp4`]);
    await expect.poll(leftovers).toEqual([]);
    expect(await runBuilt(['archive', 'check'], env)).toMatchObject({
      code: 0,
      stdout: `Read 1 objects with ${VIDEO.length} bytes, for 1 copies: 0 wrong.\n`,
    });
    await gateway.end('SIGTERM');
    expect(countedBytes(env.DATA_DIR)).toEqual([{ value: VIDEO.length }]);
  },
);

const ENDS: readonly (readonly [string, (env: Scene['env'], id: string) => Promise<unknown>])[] = [
  [
    'is deleted',
    (env, id) => {
      inSqlite(env.DATA_DIR, (database) => {
        database.exec(`delete from tasks where id = '${id}'`);
      });
      return Promise.resolve();
    },
  ],
  [
    'loses its video',
    async (env, id) => {
      const gateway = await startBuilt({ ...env, ARCHIVE_MAX_VIDEO_BYTES: '1000' });
      await expect.poll(() => stateOf(gateway, id), { timeout: 30_000 }).toBe('LOST');
      await gateway.end('SIGKILL');
    },
  ],
];
const LEFT = PLACES.flatMap(([where, place]) => ENDS.map(([how, end]) => [where, how, place, end] as const));

test.each(LEFT)(
  'an object %s without a row, of a killed gateway, is deleted when its task %s',
  async (_, __, place, end) => {
    const { env, id, objects } = await killed(place, 'when it is an object, before its row is written');
    await end(env, id);
    const gateway = await startBuilt(env);
    await expect.poll(objects, { timeout: 30_000 }).toEqual([]);
    await gateway.end('SIGTERM');
    expect(countedBytes(env.DATA_DIR)).toEqual([{ value: 0 }]);
  },
);
