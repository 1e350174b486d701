import { describe, expect, it } from 'vitest';
import { createLedger, singleFlight, type SandboxState, type TaskEntry } from '../../src/sandbox/state.ts';
import { encodeTaskId } from '../../src/sandbox/task-id.ts';

const HOUR = 3_600_000;

function taskOfAge(ageMs: number): string {
  return encodeTaskId({ createdAt: Date.now() - ageMs, durationMs: 0, failCode: null, callback: 'once' });
}

function entryOfAge(ageMs: number, changes: Partial<TaskEntry> = {}): TaskEntry {
  return { taskId: taskOfAge(ageMs), param: '{}', settled: true, callBackUrl: null, ...changes };
}

/** The tasks that a ledger with these keeps when another one is added; without the other one. */
async function keptOf(tasks: TaskEntry[]): Promise<TaskEntry[]> {
  let written: SandboxState = { credits: 0, tasks: [] };
  const ledger = createLedger({ credits: 10_000, tasks }, (state) => {
    written = state;
    return Promise.resolve();
  });
  await ledger.open(taskOfAge(0), '{}', null);
  return written.tasks.slice(0, -1);
}

describe('the ledger', () => {
  it('forgets what was finished more than a day ago', async () => {
    const [old, recent] = [entryOfAge(25 * HOUR), entryOfAge(23 * HOUR)];
    expect(await keptOf([old, recent])).toEqual([recent]);
  });

  it('remembers 500 tasks, the newest ones', async () => {
    const tasks = Array.from({ length: 510 }, (_, index) => entryOfAge(HOUR - index));
    expect(await keptOf(tasks)).toEqual(tasks.slice(11));
  });

  it('keeps a task, however old, while its end has yet to be told', async () => {
    const due = entryOfAge(25 * HOUR, { callBackUrl: 'http://127.0.0.1:9/hook' });
    expect(await keptOf([due])).toEqual([due]);
  });

  it('takes the price of a task that ended meanwhile off the balance, once', () => {
    const ledger = createLedger({ credits: 100, tasks: [entryOfAge(HOUR, { settled: false })] }, () =>
      Promise.resolve(),
    );
    expect([ledger.credits(), ledger.credits()]).toEqual([43, 43]);
    expect(ledger.canPay()).toBe(false);
  });
});

describe('singleFlight', () => {
  it('never runs twice at once, and no call is answered by a run that began before it', async () => {
    let running = 0;
    let value = 0;
    let seen = -1;
    const run = singleFlight(async () => {
      expect((running += 1)).toBe(1);
      seen = value;
      await Promise.resolve();
      running -= 1;
    });
    const calls = [1, 2, 3, 4, 5].map(async (change) => {
      await Promise.resolve();
      value = change;
      await run();
      expect(seen).toBeGreaterThanOrEqual(change);
    });
    await Promise.all(calls);
    expect(seen).toBe(5);
  });
});
