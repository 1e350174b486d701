import { randomUUID } from 'node:crypto';
import { inParallel } from '../support/in-parallel.ts';
import { openLiveSocket, type LiveSocket } from './live-socket.ts';
import { createTaskReader } from './task-message.ts';
import type { Subject } from '../subjects/subject.ts';

/** Sockets with their subscriptions. */
export interface Subscribers {
  readonly sockets: readonly LiveSocket[];
  /** Messages of any kind, and their bytes. */
  readonly messages: number;
  readonly bytes: number;
  /** Sockets that ended though nobody here ended them, and why the first of them did. */
  readonly lost: number;
  readonly firstLoss: string | null;
  /** Fulfilled with the reason when the first of them ends so. */
  readonly whenLost: Promise<string>;
  end(): void;
}

export interface Subscription {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** Told of every task that reaches a subscriber. */
export type Note = (subscriber: number, task: number, state: number) => void;

/** `count` sockets to the subject's processes in turn; resolves when all are open and have sent their subscriptions. */
export async function subscribe(
  { init, ports }: Subject,
  count: number,
  subscriptionsOf: (subscriber: number) => readonly Subscription[],
  note: Note,
): Promise<Subscribers> {
  const sockets: LiveSocket[] = [];
  let messages = 0;
  let bytes = 0;
  let lost = 0;
  let firstLoss: string | null = null;
  let tellLoss: (reason: string) => void = () => undefined;
  const whenLost = new Promise<string>((resolve) => {
    tellLoss = resolve;
  });
  const read = createTaskReader();

  async function open(subscriber: number): Promise<void> {
    const live = await openLiveSocket({
      port: ports[subscriber % ports.length] ?? 0,
      init,
      onMessage: (buffer, start, end) => {
        const { number, state } = read(buffer, start, end);
        messages += 1;
        bytes += end - start;
        if (number >= 0) note(subscriber, number, state);
        else answerOther(live, buffer.toString('utf8', start, end));
      },
      onEnd: (reason) => {
        lost += 1;
        firstLoss ??= reason;
        tellLoss(reason);
      },
    });
    sockets[subscriber] = live;
    for (const payload of subscriptionsOf(subscriber))
      live.send({ id: randomUUID(), type: 'subscribe', payload });
  }

  const numbers = Array.from({ length: count }, (_, subscriber) => subscriber);
  await inParallel(numbers, 100, open);
  return {
    sockets,
    whenLost,
    get messages() {
      return messages;
    },
    get bytes() {
      return bytes;
    },
    get lost() {
      return lost;
    },
    get firstLoss() {
      return firstLoss;
    },
    end() {
      for (const socket of sockets) socket.end();
    },
  };
}

function answerOther(live: LiveSocket, text: string): void {
  const { type } = JSON.parse(text) as { readonly type: string };
  if (type === 'ping') live.send({ type: 'pong' });
  else if (type === 'next' || type === 'error')
    throw new Error(`a subscriber was told ${text.slice(0, 300)}`);
}
