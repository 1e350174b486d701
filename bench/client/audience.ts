import { setTimeout as delay } from 'node:timers/promises';
import type { Subject, TaskRef } from '../subjects/subject.ts';
import type { Callers } from './callers.ts';
import { createDeliveries, type Deliveries } from './deliveries.ts';
import { TASKS_UPDATED } from './documents.ts';
import { subscribe, type Note, type Subscribers } from './subscribers.ts';
import { SUCCESS } from './task-message.ts';

/** Subscribers of `tasksUpdated`, each with its own `after`, of whom it is certain that all are subscribed. */
export interface Audience {
  readonly subscribers: Subscribers;
  /** From now on deliveries of these tasks' ends count: to the first `size` subscribers, or to all; `rest` is told of others'. */
  expect(tasks: readonly TaskRef[], size?: number, rest?: Note): Deliveries;
  end(): void;
}

/** Changes that may be made until everybody has shown that it is subscribed. */
const PROBES = 10;
const QUIET_MS = 500;

/** Takes what it needs of `spare` to find out who is there. */
export async function openAudience(
  subject: Subject,
  size: number,
  callers: Callers,
  spare: readonly TaskRef[],
): Promise<Audience> {
  let current: Note = () => undefined;
  const subscribers = await subscribe(
    subject,
    size,
    (subscriber) => [{ query: TASKS_UPDATED, variables: { after: subject.after(subscriber) } }],
    (subscriber, task, state) => {
      current(subscriber, task, state);
    },
  );
  const audience: Audience = {
    subscribers,
    expect(tasks, counted = size, rest = () => undefined) {
      const numbers = tasks.map(({ number }) => number);
      const next = createDeliveries({
        subscribers: counted,
        tasks: numbers,
        perTask: counted,
        state: SUCCESS,
      });
      current = (subscriber, task, state) => {
        (subscriber < counted ? next.note : rest)(subscriber, task, state);
      };
      return next;
    },
    end: subscribers.end,
  };
  await settle(audience, size, callers, spare);
  return audience;
}

/** graphql-transport-ws acknowledges no subscription, so changes are made until one has reached everybody. */
async function settle(
  audience: Audience,
  size: number,
  callers: Callers,
  spare: readonly TaskRef[],
): Promise<void> {
  for (const task of spare.slice(0, PROBES)) {
    const deliveries = audience.expect([task]);
    await callers.move([task], 'success');
    await Promise.race([deliveries.delivered(task.number), quiet(deliveries, size)]);
    if (deliveries.total === size) return;
  }
  throw new Error(`after ${PROBES} changes not all of ${size} subscribers were reached`);
}

/** Until all have it, or nobody got it any more for a while. */
async function quiet(deliveries: Deliveries, size: number): Promise<void> {
  let last = -1;
  for (let look = 0; look < 100 && deliveries.total < size && deliveries.total !== last; look += 1) {
    last = deliveries.total;
    await delay(QUIET_MS);
  }
}
