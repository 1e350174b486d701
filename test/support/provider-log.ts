import type { ProviderRequest, Route } from './provider-request.ts';
import { createQueue } from './queue.ts';

/** The requests that came, to look back at and to wait for. */
export interface ProviderLog {
  readonly add: (request: ProviderRequest) => void;
  readonly all: (route?: Route) => readonly ProviderRequest[];
  readonly take: (route: Route, accepts?: (request: ProviderRequest) => boolean) => Promise<ProviderRequest>;
  /** Nothing comes any more: whoever still waits is told so. */
  readonly end: () => void;
}

export function createProviderLog(): ProviderLog {
  const all: ProviderRequest[] = [];
  const queues = {
    createTask: createQueue<ProviderRequest>('a createTask request'),
    recordInfo: createQueue<ProviderRequest>('a recordInfo request'),
    credit: createQueue<ProviderRequest>('a credit request'),
    upload: createQueue<ProviderRequest>('an upload'),
  };

  return {
    add(request) {
      all.push(request);
      if (request.route !== undefined) queues[request.route].push(request);
    },
    all: (route) => all.filter((request) => route === undefined || request.route === route),
    take: (route, accepts) => queues[route].take(accepts),
    end() {
      for (const queue of Object.values(queues)) queue.fail(new Error('The fake provider was closed'));
    },
  };
}
