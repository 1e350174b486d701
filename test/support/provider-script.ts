import type { Answer } from './provider-answer.ts';
import type { ProviderRequest, Route } from './provider-request.ts';

/** An answer, or what makes one of the request it is given to. */
export type AnswerSource = Answer | ((request: ProviderRequest) => Answer | Promise<Answer>);

export interface QueuedAnswer {
  readonly route: Route;
  readonly answer: AnswerSource;
}

/** What the fake provider is to say: per route a queue of answers, and one for when the queue is empty. */
export interface ProviderScript {
  readonly queue: (route: Route, answers: readonly AnswerSource[]) => void;
  readonly always: (route: Route, answer: AnswerSource) => void;
  readonly next: (route: Route) => AnswerSource | undefined;
  readonly unused: () => readonly QueuedAnswer[];
}

export function createProviderScript(): ProviderScript {
  const queued: QueuedAnswer[] = [];
  const standing = new Map<Route, AnswerSource>();

  return {
    queue(route, answers) {
      queued.push(...answers.map((answer) => ({ route, answer })));
    },
    always(route, answer) {
      standing.set(route, answer);
    },
    next(route) {
      const index = queued.findIndex((entry) => entry.route === route);
      return index < 0 ? standing.get(route) : queued.splice(index, 1)[0]?.answer;
    },
    unused: () => [...queued],
  };
}
