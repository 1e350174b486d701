import { setImmediate } from 'node:timers/promises';
import type { StoreLocation } from '../../src/store/open-connections.ts';
import type { VisibleRecord, TaskRecord } from '../../src/tasks/task.ts';
import { createVirtualClock } from '../kit/clock.ts';
import { createInputs, type Begun } from './inputs.ts';
import { reach, unique, type Event, type KnownTask } from './known-tasks.ts';
import { createMutations, type Mutations } from './mutations.ts';
import { startProcess, type Process } from './process.ts';
import { createReader, type Reader } from './reader.ts';
import { after, atTime, hasEnded, newStanding, type Happening } from './rules.ts';
import { createScriptedProvider, type ScriptedProvider } from './scripted-provider.ts';
import type { Input, Step } from './steps.ts';

export interface World {
  readonly tasks: readonly KnownTask[];
  readonly mutations: Mutations;
  readonly readers: readonly Reader[];
  /** Every change that was ever told, in order. */
  readonly history: readonly VisibleRecord[];
  readonly process: () => Process;
  readonly now: () => number;
  /** What went wrong where no check could see it. */
  readonly troubles: string[];
  /** What was done and what followed, line by line. */
  readonly trace: string[];
  take(step: Step): Promise<void>;
  end(): Promise<void>;
}

const START = Date.UTC(2026, 10, 22);

/** A gateway without its doors, everything that happens to it, and what the rules say that must follow. */
export async function createWorld(location: StoreLocation): Promise<World> {
  const tasks: KnownTask[] = [];
  const readers: Reader[] = [];
  const history: VisibleRecord[] = [];
  const troubles: string[] = [];
  const trace: string[] = [];
  let work = 0;
  /** What our own side did in this step. */
  let sent: { readonly task: KnownTask; readonly what: Happening }[] = [];
  let asked: string[] = [];

  const clock = createVirtualClock(START, () => work > 0);
  const now = (): number => clock.now();
  const mutations = createMutations(now);
  const provider: ScriptedProvider = createScriptedProvider(clock, { created, asked: wasAsked });
  const taskOf = (name: string): KnownTask | undefined =>
    tasks.find((task) => name.includes(task.id) || name.split('-')[0] === task.name);
  let process = await start();
  const inputs = createInputs({ tasks, mutations, provider, now, taskOf, process: () => process });

  function start(): Promise<Process> {
    return startProcess({
      location,
      clock,
      provider,
      onInsert,
      onChanges: (changes) => history.push(...changes),
      onError: (error) => troubles.push(error.message),
      count: (change) => (work += change),
    });
  }

  function say(line: string): void {
    trace.push(`${String((now() - START) / 1000).padStart(6)}s  ${line}`);
  }

  function onInsert(
    _asked: TaskRecord,
    { createdAt, id, idempotencyKey: key, owner, prompt }: TaskRecord,
  ): void {
    if (tasks.some((task) => task.id === id)) return;
    const name = `t${tasks.length + 1}`;
    tasks.push({
      name,
      id,
      owner,
      key,
      prompt,
      calls: [],
      standings: [newStanding(createdAt, key !== null)],
    });
    say(`  ${name} is stored for ${owner}, "${prompt}"${key === null ? '' : `, key ${key}`}`);
  }

  function created(callbackUrl: string): void {
    const task = taskOf(callbackUrl);
    if (!task) return void troubles.push(`a create call for a task that was not stored: ${callbackUrl}`);
    say(`  ${task.name} is sent`);
    if (task.calls.some((end) => end !== 'not now'))
      troubles.push(`${task.name} is sent again, after a call that is ${task.calls.join(', ')}`);
    task.calls.push('in the air');
    sent.push({ task, what: { kind: 'sent', at: now() } });
  }

  function wasAsked(providerTaskId: string): void {
    asked.push(providerTaskId);
    const task = taskOf(providerTaskId);
    if (!task) troubles.push(`the provider is asked about ${providerTaskId}, which nobody has named`);
    else if (task.standings.every(hasEnded)) troubles.push(`${task.name} has ended, and is asked about`);
  }

  function begin(wanted: readonly Input[]): Begun[] {
    return wanted
      .flatMap((input) => inputs.begin(input) ?? [])
      .map((begun) => {
        say(begun.line);
        return begun;
      });
  }

  /** What was begun and what followed from it, of one task. */
  function eventsOf(task: KnownTask, begun: readonly Begun[], areAllCertain: boolean): Event[] {
    const own = sent.filter((event) => event.task === task);
    return [
      ...begun
        .filter((event) => event.task === task)
        .map(({ isAcknowledged, what }) => ({ what, isCertain: () => areAllCertain || isAcknowledged() })),
      ...own.map(({ what }) => ({ what, isCertain: () => true })),
    ];
  }

  async function together(wanted: readonly Input[]): Promise<void> {
    const begun = begin(wanted);
    await clock.runUntil(now());
    for (const task of tasks) task.standings = reach(task.standings, eventsOf(task, begun, true), now());
    for (const { hint, task } of begun) {
      const isAlone = begun.filter((other) => other.task === task).length === 1;
      const isOpen = task?.standings.every((one) => !hasEnded(one) && !one.isGone && one.refusal === null);
      const isRight = task?.standings.every((one) => (one.providerTaskId ?? hint) === hint);
      if (hint !== null && isAlone && isOpen && isRight && !asked.includes(hint))
        troubles.push(`a callback named ${hint}, and the provider is not asked about it`);
    }
  }

  async function kill(wanted: readonly Input[], turns: number): Promise<void> {
    const begun = begin(wanted);
    for (let turn = 0; turn < turns; turn += 1) await setImmediate();
    say('the process is killed; another one takes over');
    mutations.die();
    await process.kill();
    provider.forgetCalls();
    const isTakenOver = location.kind === 'sqlite';
    const what = { kind: 'killed', at: now(), isBusy: wanted.length > 0, isTakenOver } as const;
    for (const task of tasks) {
      const before = reach(task.standings, eventsOf(task, begun, false), now());
      task.standings = unique(before.flatMap((standing) => after(standing, what)));
    }
    sent = [];
    process = await start();
    for (const reader of readers) reader.connect(process);
    await clock.runUntil(now());
    for (const task of tasks) task.standings = reach(task.standings, eventsOf(task, [], true), now());
  }

  async function wait(ms: number, isQuiet: boolean): Promise<void> {
    say(`${ms / 1000} s pass${isQuiet ? ', the provider knows nothing' : ''}`);
    const until = now() + ms;
    const announceAt = new Map(tasks.map((task) => [task, mutations.deadlineFor(task)]));
    provider.answerQueries(isQuiet);
    await clock.runUntil(until);
    provider.answerQueries(false);
    for (const task of tasks) {
      const facts = { announceAt: announceAt.get(task) ?? null, isQuiet };
      const own = sent.filter((event) => event.task === task);
      for (const { what } of own)
        task.standings = task.standings
          .flatMap((standing) => atTime(standing, what.at, facts))
          .flatMap((standing) => after(standing, what));
      task.standings = unique(task.standings.flatMap((standing) => atTime(standing, until, facts)));
    }
  }

  async function watch({ isFromStart, owner }: Step & { readonly step: 'watch' }): Promise<void> {
    const from = isFromStart ? 0 : await process.store.newestRevision();
    const onError = (error: unknown): void => void troubles.push(`a reader failed: ${String(error)}`);
    const reader = createReader(`r${readers.length + 1}`, { owner, after: from, onError });
    say(`${reader.name} follows ${owner} after ${from}`);
    readers.push(reader);
    reader.connect(process);
    await clock.runUntil(now());
  }

  return {
    tasks,
    mutations,
    readers,
    history,
    now,
    troubles,
    trace,
    process: () => process,
    async take(step) {
      sent = [];
      asked = [];
      if (step.step === 'together') await together(step.inputs);
      else if (step.step === 'kill') await kill(step.inputs, step.turns);
      else if (step.step === 'wait') await wait(step.seconds * 1000, step.isQuiet);
      else await watch(step);
    },
    end: () => process.kill(),
  };
}
