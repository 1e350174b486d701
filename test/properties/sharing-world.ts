import { randomUUID } from 'node:crypto';
import { judge, type Subscriber, type Verdict } from './sharing-judge.ts';
import { operationOf, type Argument, type Form } from './sharing-documents.ts';
import { openSocket, type Socket } from './sharing-socket.ts';
import type { SocketName, Step, Subscribe, Who } from './sharing-steps.ts';
import type { SharedTasks } from './sharing-tasks.ts';

/** How much there was to judge. */
export interface Seen {
  readonly messages: number;
  readonly skippers: number;
  readonly refusals: number;
}

/** Subscribers of two owners on several sockets, and what happens to them. */
export interface SharingWorld {
  /** What was done, line by line. */
  readonly trace: readonly string[];
  take(step: Step): Promise<void>;
  /** Has all readers read and all tasks end, and lists what is wrong when all has come or nothing more comes. */
  judge(): Promise<readonly string[]>;
  readonly seen: () => Seen;
  end(): Promise<void>;
}

interface Line {
  readonly socket: Socket;
  /** The ids of those that had begun, and have left. */
  readonly free: string[];
  isPaused: boolean;
  wasPaused: boolean;
  isGone: boolean;
}

interface Seat {
  readonly line: Line;
  readonly subscriber: Subscriber;
}

/** So many new tasks are made for one that does not begin. */
const RINGS = 20;
/** Of so many tasks there are more changes than the buffers take, and than are kept for a reader besides. */
const FLOOD = 40;
/** How long nothing may come while something must; only a test that fails lasts so long. */
const PATIENCE_MS = 1000;

export function createSharingWorld(url: string, tasks: SharedTasks, forms: readonly Form[]): SharingWorld {
  const lines = new Map<string, Line>();
  const allLines: Line[] = [];
  const seats: Seat[] = [];
  const pending: Promise<unknown>[] = [];
  const trace: string[] = [];
  let onNews = (): void => undefined;
  let verdicts: readonly Verdict[] = [];
  let ids = 0;

  async function lineOf(who: Who, name: SocketName): Promise<Line> {
    const known = lines.get(who + name);
    if (known) return known;
    const socket = await openSocket(url, tasks.owners[who], () => {
      onNews();
    });
    const line = { socket, free: [], isPaused: false, wasPaused: false, isGone: false };
    lines.set(who + name, line);
    allLines.push(line);
    return line;
  }

  async function subscribe(step: Subscribe): Promise<void> {
    const line = await lineOf(step.who, step.socket);
    const field = step.to === 'all' ? 'tasksUpdated' : 'taskUpdated';
    const args = [...(step.to === 'all' ? [] : idOf(step)), ...afterOf(step)];
    const form = forms[step.form % forms.length];
    if (!form) return;
    const operation = operationOf(form, step.use, { field, args, isFat: step.isFat });
    const id = (step.isReused ? line.free.shift() : undefined) ?? `${(ids += 1)}${step.id}`;
    let begunAt: number | null = null;
    const inbox = line.socket.subscribe(id, operation, () => (begunAt = tasks.newest()));
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
      await line.socket.drained();
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

  async function leave({ which }: Step & { readonly kind: 'leave' }): Promise<void> {
    const open = seats.filter(({ line, subscriber }) => !line.isGone && subscriber.inbox.end === null);
    const seat = open[which % open.length];
    if (!seat) return;
    const { line, subscriber } = seat;
    trace.push(`${subscriber.name} completes`);
    const left = line.socket.leave(subscriber.inbox);
    // Where nothing is read, nothing can be waited for.
    if (line.isPaused) return void pending.push(left);
    await left;
    if (subscriber.begunAt() !== null) line.free.push(subscriber.inbox.id);
  }

  async function hangUp({ how, socket, who }: Step & { readonly kind: 'hang up' }): Promise<void> {
    const line = lines.get(who + socket);
    if (!line) return;
    trace.push(`the ${socket} socket of ${who} is ended by ${how}`);
    lines.delete(who + socket);
    line.isGone = true;
    await line.socket.end(how);
  }

  async function pause(who: Who): Promise<void> {
    const line = await lineOf(who, 'slow');
    trace.push(`${who} stops reading`);
    line.isPaused = line.wasPaused = true;
    line.socket.pause();
  }

  async function flood(reader: Subscribe): Promise<void> {
    resume(lines.get(`${reader.who}slow`));
    await subscribe(reader);
    await pause(reader.who);
    const known = tasks.made().length;
    await Promise.all(Array.from({ length: FLOOD }, () => tasks.create(reader.who)));
    const made = tasks.made().slice(known);
    // The last states of these are long past when the reader reads again.
    const early = made.slice(0, FLOOD / 2);
    await Promise.all(early.map((task) => tasks.move(task, 'success')));
    for (const to of ['queuing', 'generating', 'success'] as const)
      await Promise.all(made.slice(FLOOD / 2).map((task) => tasks.move(task, to)));
  }

  function resume(line: Line | undefined): void {
    if (!line || line.isGone) return;
    line.isPaused = false;
    line.socket.resume();
  }

  async function bringToAnEnd(): Promise<void> {
    for (const line of allLines) resume(line);
    await Promise.all(pending);
    for (const seat of seats) await begun(seat, seat.subscriber.owner === tasks.owners.a ? 'a' : 'b');
    await Promise.all(tasks.unfinished().map((task) => tasks.move(task, 'success')));
  }

  function openSockets(): readonly Socket[] {
    return allLines.filter(({ isGone }) => !isGone).map(({ socket }) => socket);
  }

  function faults(): readonly string[] {
    return [
      ...allLines.flatMap(({ socket }) => socket.faults),
      ...verdicts.flatMap(({ fault }) => fault() ?? []),
    ];
  }

  /** Fulfilled when all has come that must, or nothing comes any more. */
  function allRight(): Promise<void> {
    const waiting = [...verdicts];
    return new Promise((resolve) => {
      const giveUp = setTimeout(resolve, PATIENCE_MS);
      onNews = () => {
        giveUp.refresh();
        while (waiting.at(-1)?.isRight()) waiting.pop();
        if (waiting.length > 0) return;
        clearTimeout(giveUp);
        onNews = () => undefined;
        resolve();
      };
      onNews();
    });
  }

  return {
    trace,
    async take(step) {
      if (step.kind === 'subscribe') await subscribe(step);
      else if (step.kind === 'create') await tasks.create(step.who);
      else if (step.kind === 'move') await move(step);
      else if (step.kind === 'leave') await leave(step);
      else if (step.kind === 'hang up') await hangUp(step);
      else if (step.kind === 'pause') await pause(step.who);
      else if (step.kind === 'flood') await flood(step.reader);
      else resume(lines.get(`${step.who}slow`));
    },
    async judge() {
      await bringToAnEnd();
      const last = await tasks.lastRevision();
      verdicts = await Promise.all(seats.map(({ subscriber }) => judge(subscriber, tasks.changes(), last)));
      await allRight();
      await Promise.all(openSockets().map((socket) => socket.drained()));
      return faults();
    },
    seen: () => ({
      messages: seats.reduce((sum, { subscriber }) => sum + subscriber.inbox.came.length, 0),
      skippers: verdicts.filter(({ hasSkipped }) => hasSkipped()).length,
      refusals: verdicts.filter(({ isRefused }) => isRefused).length,
    }),
    async end() {
      await Promise.all(openSockets().map((socket) => socket.end('terminate')));
    },
  };
}
