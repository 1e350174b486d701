import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyUpdate, type TaskUpdate, type Updatable } from '../../src/tasks/apply-update.ts';
import { PROVIDER_ERROR_CODES, isPresumed } from '../../src/tasks/failure.ts';
import type { ProviderErrorCode, TaskFailure } from '../../src/tasks/failure.ts';
import { TASK_STATES, type TaskState } from '../../src/tasks/task.ts';

const THEN = 1_763_798_400_000;
const NOW = THEN + 60_000;
const DAY = 24 * 60 * 60 * 1000;
const heard = { at: NOW, source: 'CALLBACK' } as const;

const PRESUMED = ['SUBMISSION_UNKNOWN', 'EXPIRED'] as const;
const REAL = PROVIDER_ERROR_CODES.filter((code) => code !== 'SUBMISSION_UNKNOWN' && code !== 'EXPIRED');
const RANKS = { SUBMITTING: 0, WAITING: 1, QUEUING: 2, GENERATING: 3, SUCCESS: 4, FAIL: 4 };
const REPORTED = ['WAITING', 'QUEUING', 'GENERATING', 'SUCCESS', 'FAIL'] as const;

function failureOf(code: ProviderErrorCode): TaskFailure {
  return { code, providerCode: '500', message: `It failed: ${code}.` };
}

/** A task in a state, with everything that this state goes with. */
function task(state: TaskState, code: ProviderErrorCode = 'SERVER_ERROR'): Updatable {
  return {
    state,
    providerTaskId: state === 'SUBMITTING' ? null : 'kie-1',
    creditsConsumed: null,
    videos: state === 'SUCCESS' ? [{ url: 'https://files.example/old.mp4', expiresAt: THEN + DAY }] : [],
    failure: state === 'FAIL' ? failureOf(code) : null,
    updatedAt: THEN,
    completedAt: RANKS[state] === 4 ? THEN : null,
    timeline: [{ state, at: THEN, source: 'GATEWAY' }],
  };
}

/** An update to a state, with everything that this state goes with. */
function update(
  state: (typeof REPORTED)[number],
  fields: Partial<Pick<TaskUpdate, 'providerTaskId' | 'creditsConsumed'>> = {},
  code: ProviderErrorCode = 'GENERATION_FAILED',
): TaskUpdate {
  const base = { providerTaskId: 'kie-1', creditsConsumed: null, ...fields };
  if (state === 'SUCCESS') return { ...base, state, videoUrls: ['https://files.example/new.mp4'] };
  return state === 'FAIL' ? { ...base, state, failure: failureOf(code) } : { ...base, state };
}

/** What a task has become after an update of `update('SUCCESS')` and the like, in full. */
function moved(before: Updatable, state: TaskState, fields: Partial<Updatable> = {}): Updatable {
  return {
    ...before,
    state,
    providerTaskId: 'kie-1',
    videos: state === 'SUCCESS' ? [{ url: 'https://files.example/new.mp4', expiresAt: NOW + DAY }] : [],
    failure: state === 'FAIL' ? failureOf('GENERATION_FAILED') : null,
    updatedAt: NOW,
    completedAt: RANKS[state] === 4 ? NOW : null,
    timeline: [...before.timeline, { state, at: NOW, source: 'CALLBACK' }],
    ...fields,
  };
}

describe('a task', () => {
  it.each(TASK_STATES.flatMap((from) => REPORTED.map((to) => ({ from, to }))))(
    'in $from moves to $to only if that is further along',
    ({ from, to }) => {
      const expected = RANKS[to] > RANKS[from] ? moved(task(from), to) : null;
      expect(applyUpdate(task(from), update(to, { creditsConsumed: null }), heard)).toEqual(expected);
    },
  );

  it('keeps fields that an update does not know', () => {
    const before = { ...task('WAITING'), id: 'task-1', prompt: 'snow', revision: 7 };
    expect(applyUpdate(before, update('QUEUING'), heard)).toMatchObject({ id: 'task-1', prompt: 'snow' });
  });

  it('never gets an earlier time, even from an update with an earlier one', () => {
    const times = { updatedAt: THEN, completedAt: THEN };
    expect(applyUpdate(task('WAITING'), update('FAIL'), { ...heard, at: THEN - 1 })).toMatchObject(times);
  });

  it.each(REAL)('that failed with %s ignores every later update', (code) => {
    for (const state of REPORTED) expect(applyUpdate(task('FAIL', code), update(state), heard)).toBeNull();
  });

  it('has the videos of its success in order', () => {
    const videoUrls = ['https://files.example/1.mp4', 'https://files.example/2.mp4'];
    const done = applyUpdate(task('WAITING'), { ...update('SUCCESS'), state: 'SUCCESS', videoUrls }, heard);
    expect(done?.videos.map(({ url }) => url)).toEqual(videoUrls);
  });

  it.each([
    [60.5, 60.5],
    [0, 0],
    [null, 57],
  ])('with 57 credits consumed gets %j: then it is %j', (creditsConsumed, expected) => {
    const charged = { ...task('WAITING'), creditsConsumed: 57 };
    expect(applyUpdate(charged, update('SUCCESS', { creditsConsumed }), heard)?.creditsConsumed).toBe(
      expected,
    );
  });

  it.each([
    ['takes the first id', 'SUBMITTING', 'kie-2', 'kie-2'],
    ['keeps its id', 'WAITING', null, 'kie-1'],
    ['stays without an id', 'SUBMITTING', null, null],
    ['ignores the update of another id', 'WAITING', 'kie-2', undefined],
  ] as const)('%s of the provider', (_title, state, providerTaskId, expected) => {
    for (const to of ['GENERATING', 'SUCCESS', 'FAIL'] as const)
      expect(applyUpdate(task(state), update(to, { providerTaskId }), heard)?.providerTaskId).toBe(expected);
  });
});

describe.each(PRESUMED)('a presumed FAIL (%s)', (code) => {
  const presumed = { ...task('FAIL', code), providerTaskId: null };

  it('is replaced by a success, once', () => {
    const ended = applyUpdate(presumed, update('SUCCESS'), heard);
    expect(ended).toEqual(moved(presumed, 'SUCCESS'));
    expect(ended && applyUpdate(ended, update('FAIL'), heard)).toBeNull();
  });

  it.each(REAL)('is replaced by a real failure (%s)', (real) => {
    const failed = applyUpdate(presumed, update('FAIL', {}, real), heard);
    expect(failed).toEqual(moved(presumed, 'FAIL', { failure: failureOf(real) }));
  });

  it('is replaced neither by another presumed FAIL, nor by a state on the way, nor by another provider task', () => {
    for (const other of PRESUMED) expect(applyUpdate(presumed, update('FAIL', {}, other), heard)).toBeNull();
    for (const state of ['WAITING', 'QUEUING', 'GENERATING'] as const)
      expect(applyUpdate(presumed, update(state), heard)).toBeNull();
    const known = { ...presumed, providerTaskId: 'kie-1' };
    expect(applyUpdate(known, update('SUCCESS', { providerTaskId: 'kie-2' }), heard)).toBeNull();
  });
});

const anyUpdate = fc
  .record({
    state: fc.constantFrom(...REPORTED),
    providerTaskId: fc.constantFrom('kie-1', 'kie-1', 'kie-2', null),
    creditsConsumed: fc.option(fc.nat()),
    code: fc.constantFrom(...REAL, ...Array<typeof PRESUMED>(REAL.length).fill(PRESUMED).flat()),
  })
  .map(({ code, state, ...fields }) => update(state, fields, code));

describe('any sequence of updates', () => {
  it('moves a task up only, keeps its id and credits, mutates nothing, and brings no news when it is repeated', () => {
    fc.assert(
      fc.property(fc.array(anyUpdate, { maxLength: 12 }), (updates) => {
        let current = freeze(task('SUBMITTING'));
        for (const one of updates) {
          const next = applyUpdate(current, freeze(one), heard);
          if (!next) continue;
          const isOverruled = current.failure !== null && isPresumed(current.failure.code);
          expect(isOverruled || RANKS[next.state] > RANKS[current.state]).toBe(true);
          expect(next.providerTaskId).toBe(current.providerTaskId ?? one.providerTaskId);
          expect(next.creditsConsumed).toBe(one.creditsConsumed ?? current.creditsConsumed);
          current = freeze(next);
        }
        for (const one of updates) expect(applyUpdate(current, one, heard)).toBeNull();
      }),
    );
  });
});

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
  return value;
}
