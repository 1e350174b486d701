import type { Subject, Move, TaskRef } from '../subjects/subject.ts';
import { inParallel } from '../support/in-parallel.ts';
import { openHttp, type Answer, type HttpConnection } from './http-connection.ts';

/** Kept-alive connections that send callbacks. */
export interface Callers {
  /** Sends each task's callback, `width` at a time; `until` holds a place back after the answer. */
  move(tasks: readonly TaskRef[], move: Move, hooks?: Hooks): Promise<void>;
  end(): void;
}

export interface Hooks {
  readonly before?: (task: TaskRef) => void;
  readonly until?: (task: TaskRef) => Promise<void>;
}

/** Servers close what is idle for 5 s; a connection that was idle for so long is not used again. */
const FRESH_MS = 2000;

interface Idle {
  readonly connection: HttpConnection;
  readonly since: number;
}

export async function openCallers(subject: Subject, width: number): Promise<Callers> {
  const [port = 0] = subject.ports;
  const open = await Promise.all(Array.from({ length: width }, () => openHttp(port)));
  const idle: Idle[] = open.map((connection) => ({ connection, since: performance.now() }));

  async function send(request: Buffer): Promise<Answer> {
    const { connection: last, since } = idle.pop() ?? { connection: null, since: 0 };
    const isFresh = performance.now() - since < FRESH_MS;
    if (!isFresh) last?.end();
    const connection = last && isFresh ? last : await openHttp(port);
    const answer = await connection.send(request);
    idle.push({ connection, since: performance.now() });
    return answer;
  }

  return {
    async move(tasks, move, { before, until } = {}) {
      // Signed and put together before the clock runs.
      const calls = tasks.map((task) => ({ task, request: subject.callback(task, move) }));
      await inParallel(calls, width, async ({ request, task }) => {
        before?.(task);
        await Promise.all([send(request).then(assertTaken), until?.(task)]);
      });
    },
    end() {
      for (const { connection } of idle) connection.end();
    },
  };
}

function assertTaken({ body, status }: Answer): void {
  if (status !== 200) throw new Error(`a callback was answered with ${status}: ${body.slice(0, 300)}`);
}
