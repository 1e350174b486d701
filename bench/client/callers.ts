import type { Subject, Move, TaskRef } from '../subjects/subject.ts';
import { inParallel } from '../support/in-parallel.ts';
import type { Answer } from './http-connection.ts';
import { openPool } from './http-pool.ts';

/** Kept-alive connections that send callbacks. */
export interface Callers {
  /** Puts together and signs each task's callback, for whoever does not want that to happen while the clock runs. */
  prepare(tasks: readonly TaskRef[], move: Move): readonly Call[];
  /** Sends them, `width` at a time; `until` holds a place back after the answer. */
  send(calls: readonly Call[], hooks?: Hooks): Promise<void>;
  /** Both. */
  move(tasks: readonly TaskRef[], move: Move, hooks?: Hooks): Promise<void>;
  end(): void;
}

/** A callback that is ready to be sent. */
export interface Call {
  readonly task: TaskRef;
  readonly request: Buffer;
}

export interface Hooks {
  readonly before?: (task: TaskRef) => void;
  readonly until?: (task: TaskRef) => Promise<void>;
}

export async function openCallers(subject: Subject, width: number): Promise<Callers> {
  const [port = 0] = subject.ports;
  const pool = await openPool(port, width);

  const prepare: Callers['prepare'] = (tasks, move) =>
    tasks.map((task) => ({ task, request: subject.callback(task, move) }));

  const send: Callers['send'] = (calls, { before, until } = {}) =>
    inParallel(calls, width, async ({ request, task }) => {
      before?.(task);
      await Promise.all([pool.send(request).then(assertTaken), until?.(task)]);
    });

  return {
    prepare,
    send,
    move: (tasks, move, hooks) => send(prepare(tasks, move), hooks),
    end: () => {
      pool.end();
    },
  };
}

function assertTaken({ body, status }: Answer): void {
  if (status !== 200) throw new Error(`a callback was answered with ${status}: ${body.slice(0, 300)}`);
}
