import type { Subject, Move, TaskRef } from '../subjects/subject.ts';
import { inParallel } from '../support/in-parallel.ts';
import { openHttp, type Answer, type HttpConnection } from './http-connection.ts';

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

/** Servers close what is idle for 5 s; a connection that was idle for so long is not used again. */
export const FRESH_MS = 2000;

interface Idle {
  readonly connection: HttpConnection;
  readonly since: number;
}

export async function openCallers(subject: Subject, width: number): Promise<Callers> {
  const [port = 0] = subject.ports;
  const open = await Promise.all(Array.from({ length: width }, () => openHttp(port)));
  const idle: Idle[] = open.map((connection) => ({ connection, since: performance.now() }));

  async function answered(request: Buffer): Promise<Answer> {
    const { connection: last, since } = idle.pop() ?? { connection: null, since: 0 };
    const isFresh = performance.now() - since < FRESH_MS;
    if (!isFresh) last?.end();
    const connection = last && isFresh ? last : await openHttp(port);
    const answer = await connection.send(request);
    idle.push({ connection, since: performance.now() });
    return answer;
  }

  const prepare: Callers['prepare'] = (tasks, move) =>
    tasks.map((task) => ({ task, request: subject.callback(task, move) }));

  const send: Callers['send'] = (calls, { before, until } = {}) =>
    inParallel(calls, width, async ({ request, task }) => {
      before?.(task);
      await Promise.all([answered(request).then(assertTaken), until?.(task)]);
    });

  return {
    prepare,
    send,
    move: (tasks, move, hooks) => send(prepare(tasks, move), hooks),
    end() {
      for (const { connection } of idle) connection.end();
    },
  };
}

function assertTaken({ body, status }: Answer): void {
  if (status !== 200) throw new Error(`a callback was answered with ${status}: ${body.slice(0, 300)}`);
}
