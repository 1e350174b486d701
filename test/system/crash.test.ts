import { expect, test } from 'vitest';
import { createSuccession, bundleMortalGateway } from '../kit/crash.ts';
import { createPatientClient, follow, stepsBack } from '../kit/crash-clients.ts';
import { startCrashProvider, type Reaction } from '../kit/crash-provider.ts';
import type { Moment } from '../kit/crash-steps.ts';
import type { ApiTask } from '../kit/documents.ts';
import { emptyDatabase } from '../kit/store.ts';
import { deferred, oncePerFile } from '../kit/waits.ts';

const program = await oncePerFile(bundleMortalGateway)();

/** Moments that only the outside sees. */
type Outside =
  | 'when the provider has received the create call'
  | 'when the answer to the create call is on the wire'
  | 'when the mutation is answered'
  | 'when the follower has seen SUCCESS';

type Behaviour = keyof typeof REACTIONS;
type End = 'SUCCESS' | 'SUBMISSION_UNKNOWN' | 'INVALID_INPUT' | 'refused';

const LATE = { answer: 'arrives', isLate: true } as const;
const REACTIONS = {
  'takes it': { fate: 'taken', answer: 'arrives' },
  'takes it and answers late': { fate: 'taken', ...LATE },
  'takes it and cuts the answer': { fate: 'taken', answer: 'cut' },
  'takes it and never answers': { fate: 'taken', answer: 'never' },
  'takes it and never calls back': { fate: 'taken', answer: 'arrives', callbacks: 0 },
  'never takes it': { fate: 'lost', answer: 'never' },
  'breaks down': { fate: 'lost', answer: 'arrives' },
  'refuses it': { fate: 'refused', answer: 'arrives' },
  'refuses it late': { fate: 'refused', ...LATE },
  'says not now': { fate: 'not now', answer: 'arrives' },
  'says not now late': { fate: 'not now', ...LATE },
} as const satisfies Record<string, Reaction & { readonly isLate?: true }>;

type Scene = readonly [
  killed: Moment | Outside,
  /** What the provider does with the first create call; it takes every later one, unless it refuses. */
  provider: Behaviour,
  end: End,
  /** What became of each create call of the one wish that is asked for. */
  creates: readonly Reaction['fate'][],
  /** When the video is finished; left out: after the restart. */
  finished?: 'when received' | 'when answered',
];

const once = ['taken'] as const;

const SCENES: readonly Scene[] = [
  ['before the insert', 'takes it', 'SUCCESS', once],
  ['after the insert', 'takes it', 'SUCCESS', once],
  ['before the mark', 'takes it', 'SUCCESS', once],
  // The mark stands for a call whose fate nobody knows, even where it never left.
  ['after the mark', 'takes it', 'SUBMISSION_UNKNOWN', []],
  ['before the create call', 'takes it', 'SUBMISSION_UNKNOWN', []],
  ['when the provider has received the create call', 'takes it and never answers', 'SUCCESS', once],
  ['when the provider has received the create call', 'never takes it', 'SUBMISSION_UNKNOWN', ['lost']],
  ['when the answer to the create call is on the wire', 'takes it', 'SUCCESS', once],
  ['after the create call', 'takes it', 'SUCCESS', once],
  ['before the writing of WAITING', 'takes it', 'SUCCESS', once],
  ['before telling WAITING', 'takes it', 'SUCCESS', once],
  ['after telling WAITING', 'takes it', 'SUCCESS', once],
  ['after the writing of WAITING', 'takes it', 'SUCCESS', once],
  ['when the mutation is answered', 'takes it', 'SUCCESS', once],

  ['before the announcement', 'takes it and answers late', 'SUCCESS', once],
  ['before telling SUBMITTING', 'takes it and answers late', 'SUCCESS', once],
  ['after telling SUBMITTING', 'takes it and answers late', 'SUCCESS', once],
  ['after the announcement', 'takes it and answers late', 'SUCCESS', once],
  ['when the mutation is answered', 'takes it and answers late', 'SUCCESS', once],
  ['before the writing of WAITING', 'takes it and answers late', 'SUCCESS', once],
  ['after the writing of WAITING', 'takes it and answers late', 'SUCCESS', once],

  ['before the writing of a lost answer', 'takes it and cuts the answer', 'SUCCESS', once],
  ['after the writing of a lost answer', 'takes it and cuts the answer', 'SUCCESS', once],
  ['before the writing of a lost answer', 'breaks down', 'SUBMISSION_UNKNOWN', ['lost']],
  ['after the writing of a lost answer', 'breaks down', 'SUBMISSION_UNKNOWN', ['lost']],
  ['before the writing of the end of the grace period', 'breaks down', 'SUBMISSION_UNKNOWN', ['lost']],
  ['after the writing of the end of the grace period', 'breaks down', 'SUBMISSION_UNKNOWN', ['lost']],

  // A refusal that was not written is as good as lost; one that was written frees the key for another try.
  ['before the writing of a refusal', 'refuses it', 'SUBMISSION_UNKNOWN', ['refused']],
  ['after the writing of a refusal', 'refuses it', 'refused', ['refused', 'refused']],
  ['before the writing of a refusal', 'refuses it late', 'SUBMISSION_UNKNOWN', ['refused']],
  ['after the writing of a refusal', 'refuses it late', 'INVALID_INPUT', ['refused']],

  ['before the taking back of the mark', 'says not now', 'SUBMISSION_UNKNOWN', ['not now']],
  ['after the taking back of the mark', 'says not now', 'SUCCESS', ['not now', 'taken']],
  ['before the taking back of the mark', 'says not now late', 'SUBMISSION_UNKNOWN', ['not now']],
  ['after the taking back of the mark', 'says not now late', 'SUCCESS', ['not now', 'taken']],

  ['before the writing of SUCCESS', 'takes it', 'SUCCESS', once, 'when answered'],
  ['before telling SUCCESS', 'takes it', 'SUCCESS', once, 'when answered'],
  ['after telling SUCCESS', 'takes it', 'SUCCESS', once, 'when answered'],
  ['after the writing of SUCCESS', 'takes it', 'SUCCESS', once, 'when answered'],
  ['when the follower has seen SUCCESS', 'takes it', 'SUCCESS', once, 'when answered'],
  ['before the writing of SUCCESS', 'takes it and never answers', 'SUCCESS', once, 'when received'],
  ['after the writing of SUCCESS', 'takes it and never answers', 'SUCCESS', once, 'when received'],

  ['after the claim of a check', 'takes it and never calls back', 'SUCCESS', once, 'when answered'],
  ['after the query', 'takes it and never calls back', 'SUCCESS', once, 'when answered'],
  ['before the writing of SUCCESS', 'takes it and never calls back', 'SUCCESS', once, 'when answered'],
  ['after the writing of SUCCESS', 'takes it and never calls back', 'SUCCESS', once, 'when answered'],
];

/** Where it matters that nobody takes over on PostgreSQL: leases and marks of the dead have to run out there. */
const LEFT_BEHIND: readonly Scene[0][] = [
  'after the insert',
  'after the mark',
  'before the create call',
  'when the provider has received the create call',
  'after the create call',
  'before the announcement',
  'before the writing of a lost answer',
  'before the writing of a refusal',
  'after the taking back of the mark',
  'before telling SUCCESS',
  'after the claim of a check',
];

const CASES = [
  ...SCENES.map((scene) => ['SQLite', scene] as const),
  ...SCENES.filter(([killed]) => LEFT_BEHIND.includes(killed)).map((scene) => ['PostgreSQL', scene] as const),
].map(([store, scene]) => [`${scene[0]}, while the provider ${scene[1]}`, store, scene] as const);

test.each(CASES)('killed %s, on %s: nothing is lost or paid for twice', async (_name, store, scene) => {
  const [, , wanted, creates] = scene;
  const { client, follower, provider, result } = await live(scene, store);
  const fates = (): readonly string[] => provider.creates.map(({ reaction }) => reaction.fate);
  if (wanted === 'refused') {
    expect(fates()).toEqual(creates);
    expect(result).toMatchObject({ __typename: 'ProviderError', code: 'INVALID_INPUT' });
    expect(follower.seen).toEqual([]);
    return;
  }

  if (result.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(result));
  const { id } = result.task;
  const end = await follower.sees((task) => task.id === id && endOf(task) === wanted);
  expect(fates()).toEqual(creates);
  expect(stepsBack(follower.seen)).toEqual([]);
  expect(follower.seen.filter((task) => task.id !== id)).toEqual([]);
  expect(await client.find(id)).toEqual(end);

  const taken = provider.creates.filter(({ reaction }) => reaction.fate === 'taken');
  expect(taken.map(({ taskId }) => taskId)).toEqual(wanted === 'SUCCESS' ? [id] : []);
  if (wanted === 'INVALID_INPUT') return; // The key is free again.
  expect(await client.create('a wish', 'its key')).toMatchObject({ task: end });
  expect(fates()).toEqual(creates);
});

/** A wish, a kill and a restart; ends when the wish is answered. */
async function live([killed, behaviour, , , finished]: Scene, store: 'SQLite' | 'PostgreSQL') {
  const isAnnounced = deferred();
  const first: Reaction & { readonly isLate?: true } = REACTIONS[behaviour];
  const gated = first.isLate ? { ...first, gate: isAnnounced.promise } : first;
  const later: Reaction = first.fate === 'refused' ? first : REACTIONS['takes it'];
  const isOutside = killed.startsWith('when ');

  let calls = 0;
  const react = (): Reaction => ((calls += 1) === 1 ? gated : later);
  const provider = await startCrashProvider(react);
  const isLate = first.isLate === true;
  const succession = await createSuccession({
    program,
    providerUrl: provider.url,
    env: {
      CREATE_WAIT_MS: '15000',
      // What the dead have left on a shared store is free when its time has run out, which is short here.
      ...(store === 'PostgreSQL' && {
        DATABASE_URL: await emptyDatabase(),
        CREATE_WAIT_MS: '3000',
        CREATE_TIMEOUT_MS: isLate ? '8000' : '1500',
      }),
      // Its mutation is answered first.
      ...(isLate && { CREATE_WAIT_MS: '10' }),
      SUBMISSION_GRACE_MS: '300',
    },
    timings: {
      ...(store === 'PostgreSQL' && { markMargin: 300, submitLease: isLate ? 8000 : 500, checkLease: 500 }),
      idleLook: 100,
      outcomeLook: 50,
      checkIntervalMin: 100,
      checkIntervalMax: 200,
      resendFirstMin: 10,
      resendFirstMax: 20,
    },
  });
  succession.load();
  succession.load();

  const gateway = await succession.start({
    ...(!isOutside && { dieAt: killed as Moment }),
    // However long the way to the provider takes: a task that is announced late was sent before.
    ...(isLate && { holds: 'the announcement' }),
  });
  const client = createPatientClient(succession);
  const follower = follow(succession);
  await gateway.logged('after the coming of a follower');

  const asked = client.create('a wish', 'its key');
  const received = provider.received();
  if (isLate) {
    void received.then(gateway.release);
    void follower.sees(isSubmitting).then(() => {
      isAnnounced.resolve();
    });
  }
  if (finished === 'when received') void received.then(provider.finishTasks);
  if (finished === 'when answered') void asked.then(provider.finishTasks);
  if (isOutside) await seen(killed as Outside).then(() => gateway.end('SIGKILL'));
  await gateway.exited;
  const next = succession.start();
  provider.finishTasks();
  await next;
  return { client, follower, provider, result: await asked };

  async function seen(moment: Outside): Promise<unknown> {
    switch (moment) {
      case 'when the provider has received the create call':
        return received;
      case 'when the answer to the create call is on the wire':
        return (await received).closed;
      case 'when the mutation is answered':
        return asked;
      case 'when the follower has seen SUCCESS':
        return follower.sees(({ state }) => state === 'SUCCESS');
    }
  }
}

const isSubmitting = ({ state }: ApiTask): boolean => state === 'SUBMITTING';

function endOf({ failure, state }: ApiTask): string {
  return failure?.code ?? state;
}

test.each([
  ['a wish', 'asked again without a key', 15_000],
  ['an announced task', 'sent by the next gateway', 50],
])('killed while %s waits its turn and %s, there is one create for it', async (_what, _how, createWaitMs) => {
  const provider = await startCrashProvider(() => REACTIONS['takes it']);
  const succession = await createSuccession({
    program,
    providerUrl: provider.url,
    env: { CREATE_WAIT_MS: String(createWaitMs), KIE_CREATES_PER_10S: '1' },
    timings: { idleLook: 100, outcomeLook: 50 },
  });
  succession.load();
  succession.load();
  // One create call is all that this gateway may send during the test.
  const gateway = await succession.start({ timings: { createWindow: 600_000 } });
  provider.finishTasks();
  const client = createPatientClient(succession);
  const follower = follow(succession);
  await client.create('the first', null);

  // The client asks again when the connection breaks, as people do.
  const asked = client.create('the second', null);
  await gateway.logged('while a task waits its turn');
  if (createWaitMs === 50) await asked;
  await gateway.end('SIGKILL');
  expect(provider.creates.map(({ prompt }) => prompt)).toEqual(['the first']);
  // What was sent before counts no longer.
  await succession.start({ timings: { createWindow: 1 } });

  const result = await asked;
  if (result.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(result));
  const { id } = result.task;
  await follower.sees((task) => task.id === id && task.state === 'SUCCESS');
  expect(provider.creates.map(({ prompt }) => prompt)).toEqual(['the first', 'the second']);
  expect(provider.creates[1]?.taskId).toBe(id);
  expect(stepsBack(follower.seen)).toEqual([]);
  // Of a task that died unanswered nobody ever hears.
  expect(new Set(follower.seen.map((task) => task.id)).size).toBe(2);
});
