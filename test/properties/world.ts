import { setImmediate } from 'node:timers/promises';
import type { StoreLocation } from '../../src/store/open-connections.ts';
import type { VisibleRecord, TaskRecord } from '../../src/tasks/task.ts';
import { createVirtualClock } from '../kit/clock.ts';
import { deferred } from '../kit/waits.ts';
import { createPendingProvider, startSimulatedProcess, type SimulatedProcess } from '../kit/simulation.ts';
import { begin, type Begun, type Owner, type Step } from './inputs.ts';
import { createMutations } from './mutations.ts';
import { TIMES, after, atTime, hasEnded, newStanding, reach, unique } from './rules.ts';
import type { Event, Happening, KnownTask } from './rules.ts';

/** A client that follows all tasks of an owner, and comes back after the largest revision that it saw. */
interface Reader {
  readonly name: string;
  readonly owner: Owner;
  readonly after: number;
  readonly seen: VisibleRecord[];
}

export type World = Awaited<ReturnType<typeof createWorld>>;

const START = Date.UTC(2026, 10, 22);

/**
 * No limit is ever reached, a callback has the provider asked at once, and what nobody announced is looked for rarely:
 * all three have tests of their own.
 */
const TIMINGS = { ...TIMES, createsPerWindow: 1000, queriesPerSecond: 1000, bringForwardEvery: 0 };

/** A gateway without its doors, everything that happens to it, and what the rules say that must follow. */
export async function createWorld(location: StoreLocation) {
  const tasks: KnownTask[] = [];
  const readers: Reader[] = [];
  /** Every change that was ever told, in order. */
  const history: VisibleRecord[] = [];
  /** What went wrong where no check could see it. */
  const troubles: string[] = [];
  /** What was done and what followed, line by line. */
  const trace: string[] = [];
  let work = 0;
  let idle = deferred();
  /** What our own side did in this step. */
  let sent: { readonly task: KnownTask; readonly what: Happening }[] = [];
  let asked: string[] = [];

  const clock = createVirtualClock(START, () => (work > 0 ? idle.promise : null));
  const now = clock.now;
  const mutations = createMutations(now);
  const { provider, ...calls } = createPendingProvider(clock, { ...TIMES, onCreate, onQuery });
  const taskOf = (name: string): KnownTask | undefined =>
    tasks.find((task) => name.includes(task.id) || name.split('-')[0] === task.name);
  let process = await start();
  const surroundings = { ...calls, tasks, mutations, now, taskOf, process: () => process };

  function start(): Promise<SimulatedProcess> {
    return startSimulatedProcess({
      location,
      clock,
      provider,
      timings: TIMINGS,
      onInsert,
      onChanges: (changes) => history.push(...changes),
      onError: (message, fields) => troubles.push(`${message} ${JSON.stringify(fields)}`),
      count,
    });
  }

  function count(change: 1 | -1): void {
    work += change;
    if (work > 0) return;
    idle.resolve();
    idle = deferred();
  }

  function say(line: string): void {
    trace.push(`${String((now() - START) / 1000).padStart(6)}s  ${line}`);
  }

  function onInsert({ createdAt, id, idempotencyKey: key, owner, prompt }: TaskRecord): void {
    if (tasks.some((task) => task.id === id)) return;
    const name = `t${tasks.length + 1}`;
    const standings = [newStanding(createdAt, key !== null)];
    tasks.push({ name, id, owner, key, prompt, calls: [], standings });
    say(`  ${name} is stored for ${owner}, "${prompt}"${key === null ? '' : `, key ${key}`}`);
  }

  function onCreate(callbackUrl: string): void {
    const task = taskOf(callbackUrl);
    if (!task) return void troubles.push(`a create call for a task that was not stored: ${callbackUrl}`);
    say(`  ${task.name} is sent`);
    if (task.calls.some((end) => end !== 'not now'))
      troubles.push(`${task.name} is sent again, after a call that is ${task.calls.join(', ')}`);
    task.calls.push('in the air');
    sent.push({ task, what: { kind: 'sent', at: now() } });
  }

  function onQuery(providerTaskId: string): void {
    asked.push(providerTaskId);
    const task = taskOf(providerTaskId);
    if (!task) troubles.push(`the provider is asked about ${providerTaskId}, which nobody has named`);
    else if (task.standings.every(hasEnded)) troubles.push(`${task.name} has ended, and is asked about`);
  }

  function beginAll({ inputs }: Step & { readonly step: 'together' | 'kill' }): Begun[] {
    return inputs.flatMap((input) => {
      const begun = begin(surroundings, input);
      if (begun) say(begun.line);
      return begun ?? [];
    });
  }

  /** Applies what was begun, and what our own side did, to each task. */
  function settle(begun: readonly Begun[], areAllCertain: boolean): void {
    for (const task of tasks) {
      const isMine = (event: { readonly task: KnownTask | null }): boolean => event.task === task;
      const outer = begun.filter(isMine).map(({ isAcknowledged, what }): Event => {
        return { what, isCertain: () => areAllCertain || isAcknowledged() };
      });
      const own = sent.filter(isMine).map(({ what }): Event => ({ what, isCertain: () => true }));
      task.standings = reach(task.standings, [...outer, ...own], now());
    }
  }

  async function together(step: Step & { readonly step: 'together' }): Promise<void> {
    const begun = beginAll(step);
    await clock.runUntil(now());
    settle(begun, true);
    for (const { hint, task } of begun) {
      const isAlone = begun.filter((other) => other.task === task).length === 1;
      const isOpen = task?.standings.every((one) => !hasEnded(one) && !one.isGone && one.refusal === null);
      const isRight = task?.standings.every((one) => (one.providerTaskId ?? hint) === hint);
      if (hint !== null && isAlone && isOpen && isRight && !asked.includes(hint))
        troubles.push(`a callback named ${hint}, and the provider is not asked about it`);
    }
  }

  async function kill(step: Step & { readonly step: 'kill' }): Promise<void> {
    const begun = beginAll(step);
    for (let turn = 0; turn < step.turns; turn += 1) await setImmediate();
    say('the process is killed; another one takes over');
    mutations.die();
    await process.kill();
    calls.forgetCalls();
    const isTakenOver = location.kind === 'sqlite';
    const what = { kind: 'killed', at: now(), isBusy: step.inputs.length > 0, isTakenOver } as const;
    settle(begun, false);
    for (const task of tasks)
      task.standings = unique(task.standings.flatMap((standing) => after(standing, what)));
    sent = [];
    process = await start();
    readers.forEach(connect);
    await clock.runUntil(now());
    settle([], true);
  }

  async function wait({ isQuiet, seconds }: Step & { readonly step: 'wait' }): Promise<void> {
    say(`${seconds} s pass${isQuiet ? ', the provider knows nothing' : ''}`);
    const until = now() + seconds * 1000;
    const announceAt = new Map(tasks.map((task) => [task, mutations.deadlineFor(task)]));
    calls.answerQueries(isQuiet);
    await clock.runUntil(until);
    calls.answerQueries(false);
    for (const task of tasks) {
      const facts = { announceAt: announceAt.get(task) ?? null, isQuiet };
      for (const { what } of sent.filter((event) => event.task === task))
        task.standings = task.standings
          .flatMap((standing) => atTime(standing, what.at, facts))
          .flatMap((standing) => after(standing, what));
      task.standings = unique(task.standings.flatMap((standing) => atTime(standing, until, facts)));
    }
  }

  async function watch({ isFromStart, owner }: Step & { readonly step: 'watch' }): Promise<void> {
    const from = isFromStart ? 0 : await process.store.newestRevision();
    const reader = { name: `r${readers.length + 1}`, owner, after: from, seen: [] };
    say(`${reader.name} follows ${owner} after ${from}`);
    readers.push(reader);
    connect(reader);
    await clock.runUntil(now());
  }

  function connect({ after: from, name, owner, seen }: Reader): void {
    const { isDead, tasks: gateway } = process;
    const read = async (): Promise<void> => {
      const stream = await gateway.watchAll(owner, seen.at(-1)?.revision ?? from);
      for await (const change of stream) {
        // A socket of a process that is dead carries nothing.
        if (isDead()) return;
        seen.push(change);
      }
      throw new Error('the stream of all tasks has ended');
    };
    read().catch((error: unknown) => troubles.push(`${name} failed: ${String(error)}`));
  }

  return {
    tasks,
    mutations,
    readers,
    history,
    troubles,
    trace,
    process: () => process,
    async take(step: Step): Promise<void> {
      sent = [];
      asked = [];
      if (step.step === 'together') await together(step);
      else if (step.step === 'kill') await kill(step);
      else if (step.step === 'wait') await wait(step);
      else await watch(step);
    },
    end: () => process.kill(),
  };
}
