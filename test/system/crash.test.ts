import { afterAll, expect, test } from 'vitest';
import type { ApiTask } from '../kit/documents.ts';
import {
  createPatientClient,
  follow,
  stepsBack,
  compileMortalGateway,
  createSuccession,
  type Succession,
  startCrashProvider,
  type Reaction,
} from '../kit/crash.ts';
import type { Moment } from '../kit/crash-steps.ts';
import { deferred } from '../kit/waits.ts';
import { sharedStore } from './shared-store.ts';

const program = await compileMortalGateway();
afterAll(program.remove);

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
  'takes it and never calls back': { fate: 'taken', answer: 'arrives', callbacks: 'never' },
  'never takes it': { fate: 'lost', answer: 'never' },
  'breaks down': { fate: 'lost', answer: 'arrives' },
  'refuses it': { fate: 'refused', answer: 'arrives' },
  'refuses it late': { fate: 'refused', ...LATE },
  'says not now': { fate: 'not now', answer: 'arrives' },
  'says not now late': { fate: 'not now', ...LATE },
} as const satisfies Record<string, Reaction & { readonly isLate?: true }>;

interface Scene {
  readonly killed: Moment | Outside;
  /** What the provider does with the first create call; it takes every later one, unless it refuses. */
  readonly provider: Behaviour;
  readonly end: End;
  /** What became of each create call of the one wish that is asked for. */
  readonly creates: readonly Reaction['fate'][];
  /** When the video is finished; left out: after the restart. */
  readonly finished?: 'when received' | 'when answered';
}

function scene(
  killed: Scene['killed'],
  provider: Behaviour,
  end: End,
  creates: Scene['creates'],
  finished?: Scene['finished'],
): Scene {
  return { killed, provider, end, creates, ...(finished && { finished }) };
}

const once = ['taken'] as const;

const SCENES: readonly Scene[] = [
  scene('before the insert', 'takes it', 'SUCCESS', once),
  scene('after the insert', 'takes it', 'SUCCESS', once),
  scene('before the mark', 'takes it', 'SUCCESS', once),
  // The mark stands for a call whose fate nobody knows, even where it never left.
  scene('after the mark', 'takes it', 'SUBMISSION_UNKNOWN', []),
  scene('before the create call', 'takes it', 'SUBMISSION_UNKNOWN', []),
  scene('when the provider has received the create call', 'takes it and never answers', 'SUCCESS', once),
  scene('when the provider has received the create call', 'never takes it', 'SUBMISSION_UNKNOWN', ['lost']),
  scene('when the answer to the create call is on the wire', 'takes it', 'SUCCESS', once),
  scene('after the create call', 'takes it', 'SUCCESS', once),
  scene('before the writing of WAITING', 'takes it', 'SUCCESS', once),
  scene('before telling WAITING', 'takes it', 'SUCCESS', once),
  scene('after telling WAITING', 'takes it', 'SUCCESS', once),
  scene('after the writing of WAITING', 'takes it', 'SUCCESS', once),
  scene('when the mutation is answered', 'takes it', 'SUCCESS', once),

  scene('before the announcement', 'takes it and answers late', 'SUCCESS', once),
  scene('before telling SUBMITTING', 'takes it and answers late', 'SUCCESS', once),
  scene('after telling SUBMITTING', 'takes it and answers late', 'SUCCESS', once),
  scene('after the announcement', 'takes it and answers late', 'SUCCESS', once),
  scene('when the mutation is answered', 'takes it and answers late', 'SUCCESS', once),
  scene('before the writing of WAITING', 'takes it and answers late', 'SUCCESS', once),
  scene('after the writing of WAITING', 'takes it and answers late', 'SUCCESS', once),

  scene('before the writing of a lost answer', 'takes it and cuts the answer', 'SUCCESS', once),
  scene('after the writing of a lost answer', 'takes it and cuts the answer', 'SUCCESS', once),
  scene('before the writing of a lost answer', 'breaks down', 'SUBMISSION_UNKNOWN', ['lost']),
  scene('after the writing of a lost answer', 'breaks down', 'SUBMISSION_UNKNOWN', ['lost']),
  scene('before the writing of the end of the grace period', 'breaks down', 'SUBMISSION_UNKNOWN', ['lost']),
  scene('after the writing of the end of the grace period', 'breaks down', 'SUBMISSION_UNKNOWN', ['lost']),

  // A refusal that was not written is as good as lost; one that was written frees the key for another try.
  scene('before the writing of a refusal', 'refuses it', 'SUBMISSION_UNKNOWN', ['refused']),
  scene('after the writing of a refusal', 'refuses it', 'refused', ['refused', 'refused']),
  scene('before the writing of a refusal', 'refuses it late', 'SUBMISSION_UNKNOWN', ['refused']),
  scene('after the writing of a refusal', 'refuses it late', 'INVALID_INPUT', ['refused']),

  scene('before the taking back of the mark', 'says not now', 'SUBMISSION_UNKNOWN', ['not now']),
  scene('after the taking back of the mark', 'says not now', 'SUCCESS', ['not now', 'taken']),
  scene('before the taking back of the mark', 'says not now late', 'SUBMISSION_UNKNOWN', ['not now']),
  scene('after the taking back of the mark', 'says not now late', 'SUCCESS', ['not now', 'taken']),

  scene('before the writing of SUCCESS', 'takes it', 'SUCCESS', once, 'when answered'),
  scene('before telling SUCCESS', 'takes it', 'SUCCESS', once, 'when answered'),
  scene('after telling SUCCESS', 'takes it', 'SUCCESS', once, 'when answered'),
  scene('after the writing of SUCCESS', 'takes it', 'SUCCESS', once, 'when answered'),
  scene('when the follower has seen SUCCESS', 'takes it', 'SUCCESS', once, 'when answered'),
  scene('before the writing of SUCCESS', 'takes it and never answers', 'SUCCESS', once, 'when received'),
  scene('after the writing of SUCCESS', 'takes it and never answers', 'SUCCESS', once, 'when received'),

  scene('after the claim of a check', 'takes it and never calls back', 'SUCCESS', once, 'when answered'),
  scene('after the query', 'takes it and never calls back', 'SUCCESS', once, 'when answered'),
  scene('before the writing of SUCCESS', 'takes it and never calls back', 'SUCCESS', once, 'when answered'),
  scene('after the writing of SUCCESS', 'takes it and never calls back', 'SUCCESS', once, 'when answered'),
];

/** Where it matters that nobody takes over on PostgreSQL: leases and marks of the dead have to run out there. */
const LEFT_BEHIND: readonly Scene['killed'][] = [
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

const NAMED = [
  ...SCENES.map((scene) => ({ ...scene, store: 'SQLite' as const })),
  ...SCENES.filter(({ killed }) => LEFT_BEHIND.includes(killed)).map((scene) => ({
    ...scene,
    store: 'PostgreSQL' as const,
  })),
].map((scene) => [`${scene.killed}, while the provider ${scene.provider}`, scene.store, scene] as const);

test.each(NAMED)('killed %s, on %s: nothing is lost or paid for twice', async (_name, store, scene) => {
  const { client, follower, provider, result } = await live(scene, store);
  const fates = (): readonly string[] => provider.creates.map(({ fate }) => fate);
  if (scene.end === 'refused') {
    expect(fates()).toEqual(scene.creates);
    expect(result).toMatchObject({ __typename: 'ProviderError', code: 'INVALID_INPUT' });
    expect(follower.seen).toEqual([]);
    return;
  }

  if (result.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(result));
  const { id } = result.task;
  const end = await follower.sees((task) => task.id === id && endOf(task) === scene.end);
  expect(fates()).toEqual(scene.creates);
  expect(stepsBack(follower.seen)).toEqual([]);
  expect(follower.seen.filter((task) => task.id !== id)).toEqual([]);
  expect(await client.find(id)).toEqual(end);

  const taken = provider.creates.filter(({ fate }) => fate === 'taken');
  expect(taken.map(({ taskId }) => taskId)).toEqual(scene.end === 'SUCCESS' ? [id] : []);
  if (scene.end === 'INVALID_INPUT') return; // The key is free again.
  expect(await client.create('a wish', 'its key')).toMatchObject({ task: end });
  expect(fates()).toEqual(scene.creates);
});

/** A wish, a kill and a restart; ends when the wish is answered. */
async function live({ finished, killed, provider: behaviour }: Scene, store: 'SQLite' | 'PostgreSQL') {
  const isAnnounced = deferred();
  const first: Reaction & { readonly isLate?: true } = REACTIONS[behaviour];
  const gated = first.isLate ? { ...first, gate: isAnnounced.promise } : first;
  const later: Reaction = first.fate === 'refused' ? first : REACTIONS['takes it'];
  const isOutside = killed.startsWith('when ');

  let calls = 0;
  const react = (): Reaction => ((calls += 1) === 1 ? gated : later);
  const provider = await startCrashProvider(react, () => succession.running());
  const isLate = first.isLate === true;
  const shared = store === 'SQLite' ? null : await sharedStore({ isLate });
  const succession: Succession = await createSuccession({
    program,
    providerUrl: provider.url,
    env: {
      CREATE_WAIT_MS: '15000',
      ...shared?.env,
      // Its mutation is answered first.
      ...(isLate && { CREATE_WAIT_MS: '10' }),
      SUBMISSION_GRACE_MS: '300',
    },
    timings: {
      ...shared?.timings,
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
  await gateway.reaches('after the coming of a follower');

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
  if (isOutside) await seen(killed as Outside).then(gateway.kill);
  await gateway.died;
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
