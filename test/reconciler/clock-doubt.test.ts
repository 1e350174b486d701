import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createTask, findTask } from '../api/client.ts';
import { insertVisible } from '../store/records.ts';
import { startStandingGateway, type StandingGateway } from '../submitting/standing-gateway.ts';
import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { HMAC_KEY, type GatewayOptions } from '../kit/gateway.ts';
import { created, notVisibleYet, refused, callbackSuccess, deliverCallback, sign } from '../kit/kie.ts';
import { createStandingClock, type StandingClock } from '../webhooks/standing-clock.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

interface TwoClocks extends StandingClock {
  readonly elapsed: () => number;
  /** Sets the clock ahead while no time goes by. */
  set(ms: number): void;
}

function createTwoClocks(): TwoClocks {
  const standing = createStandingClock();
  let ahead = 0;
  return {
    ...standing,
    now: () => standing.now() + ahead,
    elapsed: standing.now,
    set: (ms) => {
      ahead += ms;
    },
  };
}

interface Scene {
  readonly clock: TwoClocks;
  readonly gateway: StandingGateway;
  readonly provider: FakeProvider;
}

async function start(
  options: Pick<GatewayOptions, 'dataDir' | 'overrides'> & { readonly clock?: TwoClocks } = {},
): Promise<Scene> {
  const clock = options.clock ?? createTwoClocks();
  const provider = await startFakeProvider();
  provider.always('recordInfo', notVisibleYet());
  const env = { TASK_RETENTION_DAYS: '1', CREATE_WAIT_MS: '0' };
  const gateway = await startStandingGateway({ ...options, clock, env, provider });
  return { clock, gateway, provider };
}

/** In place of the hour that it is by itself, which the last two tests let pass. */
const DOUBT = 10 * MINUTE;

/** Steps of time that no watch takes for sleep. */
const STEP = 5 * SECOND;

/** Lets time go by, a step in each turn, until something is done; returns how much went by. */
async function timeUntil<T>(clock: TwoClocks, done: Promise<T>): Promise<number> {
  const begunAt = clock.elapsed();
  const pending = new Set([done]);
  const end = done.finally(() => pending.delete(done));
  while (pending.size > 0) {
    clock.advance(STEP);
    await setImmediate();
  }
  await end;
  return clock.elapsed() - begunAt;
}

async function pass(clock: TwoClocks, ms: number): Promise<void> {
  for (let at = 0; at < ms; at += STEP) {
    clock.advance(STEP);
    await setImmediate();
  }
}

async function gone(gateway: StandingGateway, id: string): Promise<void> {
  while (await findTask(gateway, id)) await setImmediate();
}

/** A task that has its video; returns its id. */
async function startEnded({ clock, gateway, provider }: Scene): Promise<string> {
  provider.answer('createTask', created('kie-1'));
  const { id } = await createTask(gateway);
  const callback = gateway.callbackUrl(await provider.received('createTask'));
  const headers = sign(HMAC_KEY, 'kie-1', Math.floor(clock.now() / 1000));
  expect((await deliverCallback(callback, callbackSuccess('kie-1'), headers)).status).toBe(200);
  await gateway.written(({ state }) => state === 'SUCCESS');
  return id;
}

/** What a clock that is ahead, or a process that slept, would end too early; each returns when that has happened. */
const PROTECTED: readonly {
  readonly what: string;
  readonly forAtLeast: number;
  prepare(scene: Scene): Promise<() => Promise<unknown>>;
}[] = [
  {
    what: 'the deadline of a task that kie.ai works on',
    forAtLeast: DOUBT,
    async prepare({ gateway, provider }) {
      provider.answer('createTask', created('kie-1'));
      await createTask(gateway);
      await gateway.written(({ state }) => state === 'WAITING');
      return () => gateway.written(({ failure }) => failure?.code === 'EXPIRED');
    },
  },
  {
    what: 'a task whose create response was lost and that waits for a callback',
    forAtLeast: DOUBT,
    async prepare({ gateway, provider }) {
      provider.answer('createTask', { reset: true });
      await createTask(gateway);
      await gateway.written(({ unknownSince }) => unknownSince !== null);
      return () => gateway.written(({ failure }) => failure?.code === 'SUBMISSION_UNKNOWN');
    },
  },
  {
    what: 'a task that kie.ai puts off',
    forAtLeast: DOUBT,
    async prepare({ gateway, provider }) {
      provider.always('createTask', refused(455, 'Maintenance'));
      await createTask(gateway);
      await gateway.written(({ notNowCount }) => notNowCount === 1);
      return () => gateway.written(({ failure }) => failure?.code === 'MAINTENANCE');
    },
  },
  {
    what: 'a create call of another process',
    forAtLeast: 30 * SECOND,
    async prepare({ clock, gateway }) {
      const now = clock.now();
      const times = { createdAt: now, markedAt: now, nextCheckAt: now + 90 * SECOND };
      await insertVisible(gateway.ports.store, times);
      return () => gateway.written(({ unknownSince }) => unknownSince !== null);
    },
  },
  {
    what: 'a task that is kept for a day after its end',
    forAtLeast: DOUBT,
    async prepare(scene) {
      const id = await startEnded(scene);
      await pass(scene.clock, 2 * DOUBT);
      return () => gone(scene.gateway, id);
    },
  },
];

describe.each([
  ['the clock was set two days ahead', 'set'],
  ['the process slept for two days', 'advance'],
] as const)('after %s', (_event, happen) => {
  test.each(PROTECTED)('$what is protected for $forAtLeast ms', async ({ forAtLeast, prepare }) => {
    const scene = await start({ overrides: { timings: { clockDoubt: DOUBT } } });
    const end = await prepare(scene);
    scene.clock[happen](2 * DAY);
    expect(await timeUntil(scene.clock, end())).toBeGreaterThanOrEqual(forAtLeast);
  });
});

describe('a process that starts with a clock that is ahead', () => {
  test('deletes no task within its first hour', async () => {
    const first = await start();
    const id = await startEnded(first);
    const { clock, gateway } = await startAgainAhead(first);
    expect(await timeUntil(clock, gone(gateway, id))).toBeGreaterThanOrEqual(HOUR);
  });

  test('gives up no task that kie.ai works on within its first hour', async () => {
    const first = await start();
    first.provider.answer('createTask', created('kie-1'));
    await createTask(first.gateway);
    await first.gateway.written(({ state }) => state === 'WAITING');
    const { clock, gateway } = await startAgainAhead(first);
    const expired = gateway.written(({ failure }) => failure?.code === 'EXPIRED');
    expect(await timeUntil(clock, expired)).toBeGreaterThanOrEqual(HOUR);
  });
});

/** The next process on the same store. The clock was set while none ran. */
async function startAgainAhead({ clock, gateway }: Scene): Promise<Scene> {
  await gateway.close();
  clock.set(2 * DAY);
  return start({ clock, dataDir: gateway.dataDir });
}
