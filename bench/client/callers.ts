import type { Subject, Move, TaskRef } from '../subjects/subject.ts';
import { inParallel } from '../support/in-parallel.ts';
import { openHttp, type Answer } from './http-connection.ts';

/** Kept-alive connections that send callbacks. */
export interface Callers {
  /** Sends each task's callback, at most one on each connection; `until` holds a connection back after its answer. */
  move(tasks: readonly TaskRef[], move: Move, hooks?: Hooks): Promise<void>;
  end(): void;
}

export interface Hooks {
  readonly before?: (task: TaskRef) => void;
  readonly until?: (task: TaskRef) => Promise<void>;
}

export async function openCallers(subject: Subject, width: number): Promise<Callers> {
  const [port = 0] = subject.ports;
  const connections = await Promise.all(Array.from({ length: width }, () => openHttp(port)));
  return {
    async move(tasks, move, { before, until } = {}) {
      // Signed and put together before the clock runs.
      const calls = tasks.map((task) => ({ task, request: subject.callback(task, move) }));
      await inParallel(calls, width, async ({ request, task }, lane) => {
        before?.(task);
        const answered = connections[lane]?.send(request).then(assertTaken);
        await Promise.all([answered, until?.(task)]);
      });
    },
    end() {
      for (const connection of connections) connection.end();
    },
  };
}

function assertTaken({ body, status }: Answer): void {
  if (status !== 200) throw new Error(`a callback was answered with ${status}: ${body.slice(0, 300)}`);
}
