import type { Subject, TaskRef } from '../subjects/subject.ts';
import { timed } from '../support/timed.ts';
import { openAudience } from './audience.ts';
import type { Callers } from './callers.ts';
import { createDeliveries } from './deliveries.ts';
import { SUCCESS } from './task-message.ts';

/** Subscribers of `tasksUpdated` of whom some go on reading and the others can be stopped. */
export interface DividedAudience {
  /** All of these tasks come to their ends; resolves when the readers know. */
  change(tasks: readonly TaskRef[]): Promise<Change>;
  stop(): void;
  resume(): void;
  /** How many sockets a server has closed. */
  readonly lost: number;
  end(): void;
}

export interface Change {
  /** Deliveries to the readers. */
  readonly perSecond: number;
  /** Of one message, on average. */
  readonly bytes: number;
  /** Resolves with the seconds from now until the others have everything as well. */
  reachOthers(): Promise<number>;
}

const LIMIT_MS = 90_000;

export async function openDividedAudience(
  subject: Subject,
  { others, readers }: { readonly readers: number; readonly others: number },
  callers: Callers,
  spare: readonly TaskRef[],
): Promise<DividedAudience> {
  const size = readers + others;
  const { end, expect, subscribers } = await openAudience(subject, size, callers, spare);
  const divided = subscribers.sockets.slice(readers);
  const isLost = subscribers.whenLost.then((reason) => {
    throw new Error(`a socket was closed: ${reason}`);
  });
  isLost.catch(() => undefined);

  return {
    async change(tasks) {
      const numbers = tasks.map(({ number }) => number);
      const late = createDeliveries({ subscribers: size, tasks: numbers, perTask: others, state: SUCCESS });
      const soon = expect(tasks, readers, late.note);
      const calls = callers.prepare(tasks, 'success');
      const { bytes, messages } = subscribers;
      const { seconds } = await timed(subject, LIMIT_MS, soon.describe, () =>
        callers.send(calls, { until: ({ number }) => soon.delivered(number) }),
      );
      return {
        perSecond: soon.total / seconds,
        bytes: (subscribers.bytes - bytes) / (subscribers.messages - messages),
        async reachOthers() {
          const all = Promise.all(numbers.map((number) => late.delivered(number)));
          const whatCame = (): string =>
            `to those who read again ${late.describe()}, ${subscribers.lost} sockets closed`;
          return (await timed(subject, LIMIT_MS, whatCame, () => Promise.race([all, isLost]))).seconds;
        },
      };
    },
    stop() {
      for (const socket of divided) socket.pause();
    },
    resume() {
      for (const socket of divided) socket.resume();
    },
    get lost() {
      return subscribers.lost;
    },
    end,
  };
}
