import { randomUUID } from 'node:crypto';
import { judge, type Subscriber, type Verdict } from './sharing-judge.ts';
import { createLines, drained, leave, subscribe as subscribeOn, type Line } from './sharing-lines.ts';
import { operationOf, type Argument, type Form, type Step, type Subscribe } from './sharing-steps.ts';
import type { SharedTasks } from './sharing-tasks.ts';
import type { Who } from './two-owners.ts';

/** How much there was to judge. */
export interface Seen {
  readonly messages: number;
  readonly skippers: number;
  readonly refusals: number;
}

interface Seat {
  readonly line: Line;
  readonly subscriber: Subscriber;
}

/** So many new tasks are made for one that does not begin. */
const RINGS = 20;
/** Of so many tasks there are more changes than the buffers take, and than are kept for a reader besides. */
const FLOOD = 40;

/** Subscribers of two owners on several sockets, and what happens to them. */
export function createSharingWorld(url: string, tasks: SharedTasks, forms: readonly Form[]) {
  const lines = createLines(url, tasks.owners, () => {
    onNews();
  });
  const seats: Seat[] = [];
  const pending: Promise<unknown>[] = [];
  /** What was done, line by line. */
  const trace: string[] = [];
  let onNews = (): void => undefined;
  let verdicts: readonly Verdict[] = [];
  let ids = 0;

  async function subscribe(step: Subscribe): Promise<void> {
    const line = await lines.get(step.who, step.socket);
    const field = step.to === 'all' ? 'tasksUpdated' : 'taskUpdated';
    const args = [...(step.to === 'all' ? [] : idOf(step)), ...afterOf(step)];
    const form = forms[step.form % forms.length];
    if (!form) return;
    const operation = operationOf(form, step.use, { field, args, isFat: step.isFat });
    const id = (step.isReused ? line.free.shift() : undefined) ?? `${(ids += 1)}${step.id}`;
    let begunAt: number | null = null;
    const inbox = subscribeOn(line, id, { operation, onFirst: () => (begunAt = tasks.newest()) });
    const subscriber: Subscriber = {
      name: `s${seats.length + 1} of ${tasks.owners[step.who]}`,
      owner: tasks.owners[step.who],
      operation,
      field,
      isFromNow: field === 'tasksUpdated' && (step.after === 'nothing' || step.after === 'null'),
      inbox,
      sentAt: tasks.newest(),
      begunAt: () => begunAt,
      isSlow: () => line.wasPaused,
      isGone: () => line.isGone,
    };
    const seat = { line, subscriber };
    seats.push(seat);
    trace.push(
      `${subscriber.name}: ${field}(${args.map(({ name, value }) => `${name}: ${value}`).join()}) as ${JSON.stringify(id)}` +
        ` on the ${step.socket} socket at ${subscriber.sentAt}`,
    );
    if (step.isAwaited) await begun(seat, step.who);
  }

  function idOf({ by, task, to, who }: Subscribe): Argument[] {
    const isWanted = (owner: Who): boolean => (to === 'own') === (owner === who);
    const known = tasks.made().filter((one) => isWanted(tasks.ownerOf(one)));
    const found = known[task % known.length];
    const value = to === 'unknown' || !found ? randomUUID() : found[by === 'id' ? 'id' : 'providerTaskId'];
    return [{ name: 'id', type: 'ID!', value }];
  }

  function afterOf({ after }: Subscribe): Argument[] {
    const values = { null: null, zero: 0, now: tasks.newest(), beyond: tasks.newest() + 1_000_000 };
    return after === 'nothing' ? [] : [{ name: 'after', type: 'SafeInt', value: values[after] }];
  }

  /** It has when anything has come. Who follows all tasks is given new ones until then. */
  async function begun({ line, subscriber }: Seat, who: Who): Promise<void> {
    const { field, inbox } = subscriber;
    for (let rings = 0; rings < RINGS; rings += 1) {
      if (line.isPaused || line.isGone || inbox.end !== null) return;
      await drained(line);
      if (inbox.came.length > 0 || field === 'taskUpdated') return;
      await tasks.create(who);
    }
  }

  async function move({ isAwaited, moves }: Step & { readonly kind: 'move' }): Promise<void> {
    const made = tasks.made();
    const moved = moves.map(async ({ task, to }) => {
      const known = made[task % made.length];
      if (!known) return;
      trace.push(`${known.mark} is called back with ${to}`);
      await tasks.move(known, to);
    });
    if (isAwaited) await Promise.all(moved);
    else pending.push(...moved);
  }

  async function leaveOne({ which }: Step & { readonly kind: 'leave' }): Promise<void> {
    const open = seats.filter(({ line, subscriber }) => !line.isGone && subscriber.inbox.end === null);
    const seat = open[which % open.length];
    if (!seat) return;
    const { line, subscriber } = seat;
    trace.push(`${subscriber.name} completes`);
    const left = leave(line, subscriber.inbox);
    // Where nothing is read, nothing can be waited for.
    if (line.isPaused) return void pending.push(left);
    await left;
    if (subscriber.begunAt() !== null) line.free.push(subscriber.inbox.id);
  }

  async function flood(reader: Subscribe): Promise<void> {
    lines.resume(reader.who);
    await subscribe(reader);
    await lines.pause(reader.who);
    trace.push(`${reader.who} is flooded`);
    const known = tasks.made().length;
    await Promise.all(Array.from({ length: FLOOD }, () => tasks.create(reader.who)));
    const made = tasks.made().slice(known);
    // The last states of these are long past when the reader reads again.
    const early = made.slice(0, FLOOD / 2);
    await Promise.all(early.map((task) => tasks.move(task, 'success')));
    for (const to of ['queuing', 'generating', 'success'] as const)
      await Promise.all(made.slice(FLOOD / 2).map((task) => tasks.move(task, to)));
  }

  async function bringToAnEnd(): Promise<void> {
    lines.resume('a');
    lines.resume('b');
    await Promise.all(pending);
    for (const seat of seats) await begun(seat, seat.subscriber.owner === tasks.owners.a ? 'a' : 'b');
    await Promise.all(tasks.unfinished().map((task) => tasks.move(task, 'success')));
  }

  async function take(step: Step): Promise<void> {
    if (step.kind === 'subscribe') return subscribe(step);
    if (step.kind === 'create') return tasks.create(step.who);
    if (step.kind === 'move') return move(step);
    if (step.kind === 'leave') return leaveOne(step);
    if (step.kind === 'flood') return flood(step.reader);
    trace.push(`${step.who}: ${step.kind}${step.kind === 'hang up' ? ` ${step.socket}, ${step.how}` : ''}`);
    if (step.kind === 'hang up') return lines.hangUp(step.who, step.socket, step.how);
    if (step.kind === 'pause') return lines.pause(step.who);
    lines.resume(step.who);
  }

  return {
    trace,
    take,
    /** Has all readers read and all tasks end, and lists what is wrong when all has come or nothing more comes. */
    async judge(): Promise<readonly string[]> {
      await bringToAnEnd();
      const last = await tasks.lastRevision();
      verdicts = await Promise.all(seats.map(({ subscriber }) => judge(subscriber, tasks.changes, last)));
      await untilRight(verdicts, (look) => (onNews = look));
      await lines.drained();
      return [...lines.faults, ...verdicts.flatMap(({ fault }) => fault() ?? [])];
    },
    seen: (): Seen => ({
      messages: seats.reduce((sum, { subscriber }) => sum + subscriber.inbox.came.length, 0),
      skippers: verdicts.filter(({ hasSkipped }) => hasSkipped()).length,
      refusals: verdicts.filter(({ isRefused }) => isRefused).length,
    }),
    end: () => lines.end(),
  };
}

/** How long nothing may come while something must; only a test that fails lasts so long. */
const PATIENCE_MS = 10_000;

/** Fulfilled when all has come that must, or nothing comes any more. `onNews` is given what to call after each message. */
function untilRight(verdicts: readonly Verdict[], onNews: (look: () => void) => void): Promise<void> {
  const waiting = [...verdicts];
  return new Promise((resolve) => {
    const giveUp = setTimeout(resolve, PATIENCE_MS);
    const look = (): void => {
      while (waiting.at(-1)?.isRight()) waiting.pop();
      if (waiting.length > 0) return void giveUp.refresh();
      clearTimeout(giveUp);
      onNews(() => undefined);
      resolve();
    };
    onNews(look);
    look();
  });
}
