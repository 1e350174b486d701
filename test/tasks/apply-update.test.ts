import { describe, expect, it } from 'vitest';
import { applyUpdate, type Origin, type TaskUpdate, type Updatable } from '../../src/tasks/apply-update.ts';
import { PROVIDER_ERROR_CODES, type ProviderErrorCode, type TaskFailure } from '../../src/tasks/failure.ts';
import { TASK_STATES, type TaskState } from '../../src/tasks/task.ts';

const THEN = 1_763_798_400_000;
const NOW = THEN + 60_000;
const DAY = 24 * 60 * 60 * 1000;

const VIDEO = { url: 'https://files.example/old.mp4', expiresAt: THEN + DAY };
const ALONG_THE_WAY = ['WAITING', 'QUEUING', 'GENERATING'] as const;
const PRESUMED = ['SUBMISSION_UNKNOWN', 'EXPIRED'] as const;
const TRUE_CODES = PROVIDER_ERROR_CODES.filter((code) => code !== 'SUBMISSION_UNKNOWN' && code !== 'EXPIRED');

function failureOf(code: ProviderErrorCode): TaskFailure {
  return { code, providerCode: '500', message: `It failed: ${code}.` };
}

/** A task in a state, with everything that this state goes with. */
function task(state: TaskState, code: ProviderErrorCode = 'SERVER_ERROR'): Updatable {
  const ended = state === 'SUCCESS' || state === 'FAIL';
  return {
    state,
    providerTaskId: state === 'SUBMITTING' ? null : 'kie-1',
    creditsConsumed: null,
    videos: state === 'SUCCESS' ? [VIDEO] : [],
    failure: state === 'FAIL' ? failureOf(code) : null,
    updatedAt: THEN,
    completedAt: ended ? THEN : null,
    timeline: [{ state, at: THEN, source: 'GATEWAY' }],
  };
}

/** News of a state, with everything that this state goes with. */
function update(
  state: Exclude<TaskState, 'SUBMITTING'>,
  fields: Partial<Pick<TaskUpdate, 'providerTaskId' | 'creditsConsumed'>> = {},
  code: ProviderErrorCode = 'GENERATION_FAILED',
): TaskUpdate {
  const base = { providerTaskId: 'kie-1', creditsConsumed: null, ...fields };
  switch (state) {
    case 'SUCCESS':
      return { ...base, state, videoUrls: ['https://files.example/new.mp4'] };
    case 'FAIL':
      return { ...base, state, failure: failureOf(code) };
    case 'WAITING':
    case 'QUEUING':
    case 'GENERATING':
      return { ...base, state };
  }
}

/** In a callback. */
function heard(at: number): Origin {
  return { at, source: 'CALLBACK' };
}

/** All pairs of a state and a state that an update can bring, with how far each is along the way. */
const RANKS = { SUBMITTING: 0, WAITING: 1, QUEUING: 2, GENERATING: 3, SUCCESS: 4, FAIL: 4 };
const PAIRS = TASK_STATES.flatMap((from) =>
  TASK_STATES.filter((state) => state !== 'SUBMITTING').map((to) => ({ from, to })),
);
const UPWARD = PAIRS.filter(({ from, to }) => RANKS[to] > RANKS[from]);
const NOT_UPWARD = PAIRS.filter(({ from, to }) => RANKS[to] <= RANKS[from]);

describe('a task', () => {
  it('never gets an earlier updatedAt, even from an update with an earlier time', () => {
    expect(applyUpdate(task('WAITING'), update('GENERATING'), heard(THEN - 1))?.updatedAt).toBe(THEN);
    expect(applyUpdate(task('WAITING'), update('FAIL'), heard(THEN - 1))).toMatchObject({
      updatedAt: THEN,
      completedAt: THEN,
    });
  });

  it.each(UPWARD)('moves up from $from to $to', ({ from, to }) => {
    expect(applyUpdate(task(from), update(to), heard(NOW))).toMatchObject({ state: to, updatedAt: NOW });
  });

  it.each(NOT_UPWARD)('in $from ignores $to', ({ from, to }) => {
    expect(applyUpdate(task(from), update(to), heard(NOW))).toBeNull();
  });

  it('ignores an update with the same state, whatever else it contains', () => {
    const news = update('WAITING', { creditsConsumed: 57 });
    expect(applyUpdate(task('WAITING'), news, heard(NOW))).toBeNull();
  });

  it('keeps every other field as it is', () => {
    const before = { ...task('WAITING'), id: 'task-1', prompt: 'snow', revision: 7, createdAt: THEN };
    expect(applyUpdate(before, update('QUEUING'), heard(NOW))).toEqual({
      ...before,
      state: 'QUEUING',
      timeline: [...before.timeline, { state: 'QUEUING', at: NOW, source: 'CALLBACK' }],
      updatedAt: NOW,
    });
  });
});

describe('an ended task', () => {
  it.each(TRUE_CODES)('with FAIL and %s ignores every later update', (code) => {
    for (const state of [...ALONG_THE_WAY, 'SUCCESS', 'FAIL'] as const)
      expect(applyUpdate(task('FAIL', code), update(state), heard(NOW))).toBeNull();
  });

  it('with SUCCESS ignores another video and a failure', () => {
    expect(applyUpdate(task('SUCCESS'), update('SUCCESS'), heard(NOW))).toBeNull();
    expect(applyUpdate(task('SUCCESS'), update('FAIL'), heard(NOW))).toBeNull();
  });
});

describe.each(PRESUMED)('a presumed FAIL (%s)', (code) => {
  const presumed = { ...task('FAIL', code), providerTaskId: null };

  it('is replaced by a success, with the video, without the failure, and with a new completedAt', () => {
    expect(applyUpdate(presumed, update('SUCCESS'), heard(NOW))).toEqual({
      ...presumed,
      state: 'SUCCESS',
      timeline: [...presumed.timeline, { state: 'SUCCESS', at: NOW, source: 'CALLBACK' }],
      providerTaskId: 'kie-1',
      failure: null,
      videos: [{ url: 'https://files.example/new.mp4', expiresAt: NOW + DAY }],
      updatedAt: NOW,
      completedAt: NOW,
    });
  });

  it.each(TRUE_CODES)('is replaced by a real failure (%s)', (trueCode) => {
    const failed = applyUpdate(presumed, update('FAIL', {}, trueCode), heard(NOW));
    expect(failed).toMatchObject({ state: 'FAIL', failure: failureOf(trueCode), completedAt: NOW });
  });

  it.each(PRESUMED)('is not replaced by another presumed FAIL (%s)', (other) => {
    expect(applyUpdate(presumed, update('FAIL', {}, other), heard(NOW))).toBeNull();
  });

  it.each(ALONG_THE_WAY)('is not replaced by %s: only by a final state', (state) => {
    expect(applyUpdate(presumed, update(state), heard(NOW))).toBeNull();
  });

  it('is not replaced by the final state of another provider task', () => {
    const known = { ...presumed, providerTaskId: 'kie-1' };
    expect(applyUpdate(known, update('SUCCESS', { providerTaskId: 'kie-2' }), heard(NOW))).toBeNull();
  });

  it('is replaced once: the real outcome is final', () => {
    const ended = applyUpdate(presumed, update('SUCCESS'), heard(NOW));
    expect(ended && applyUpdate(ended, update('FAIL'), heard(NOW + 1))).toBeNull();
  });
});

describe('the provider id of a task', () => {
  it('comes from the first update that has one', () => {
    expect(applyUpdate(task('SUBMITTING'), update('WAITING'), heard(NOW))?.providerTaskId).toBe('kie-1');
  });

  it('stays when an update has none', () => {
    const news = update('QUEUING', { providerTaskId: null });
    expect(applyUpdate(task('WAITING'), news, heard(NOW))?.providerTaskId).toBe('kie-1');
  });

  it('stays null while no update has one', () => {
    const news = update('FAIL', { providerTaskId: null });
    expect(applyUpdate(task('SUBMITTING'), news, heard(NOW))).toMatchObject({
      state: 'FAIL',
      providerTaskId: null,
    });
  });

  it.each(['GENERATING', 'SUCCESS', 'FAIL'] as const)(
    'rejects the update of another provider task: %s',
    (state) => {
      expect(applyUpdate(task('WAITING'), update(state, { providerTaskId: 'kie-2' }), heard(NOW))).toBeNull();
    },
  );
});

describe('the fields of a task after an update', () => {
  it.each(ALONG_THE_WAY)('in %s have no videos, no failure and no completedAt', (state) => {
    expect(applyUpdate(task('SUBMITTING'), update(state), heard(NOW))).toMatchObject({
      videos: [],
      failure: null,
      completedAt: null,
    });
  });

  it('after SUCCESS have the videos in order, expiring in 24 hours, and no failure', () => {
    const urls = ['https://files.example/1.mp4', 'https://files.example/2.mp4'];
    const news = { ...update('SUCCESS'), state: 'SUCCESS', videoUrls: urls } as const;
    expect(applyUpdate(task('GENERATING'), news, heard(NOW))).toMatchObject({
      videos: urls.map((url) => ({ url, expiresAt: NOW + DAY })),
      failure: null,
      completedAt: NOW,
    });
  });

  it('after FAIL have the unchanged failure, and no videos', () => {
    expect(applyUpdate(task('GENERATING'), update('FAIL'), heard(NOW))).toMatchObject({
      videos: [],
      failure: failureOf('GENERATION_FAILED'),
      completedAt: NOW,
    });
  });

  it('have the credits of the update, including 0, or keep the earlier ones', () => {
    const charged = { ...task('WAITING'), creditsConsumed: 57 };
    const creditsAfter = (creditsConsumed: number | null) =>
      applyUpdate(charged, update('SUCCESS', { creditsConsumed }), heard(NOW))?.creditsConsumed;
    expect(creditsAfter(60.5)).toBe(60.5);
    expect(creditsAfter(0)).toBe(0);
    expect(creditsAfter(null)).toBe(57);
  });
});
