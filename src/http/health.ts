import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { retryLater } from '../limits/refusal.ts';
import { sendRefusal } from './problem.ts';
import { READ_METHODS, type Route } from './router.ts';

interface HealthOptions {
  /** Rejects if the store cannot be read or written to. */
  readonly pingStore: () => Promise<void>;
  readonly isDraining: () => boolean;
}

/** `/health`: the process is alive. `/ready`: it should be sent requests. */
export function healthRoutes({ isDraining, pingStore }: HealthOptions): readonly Route[] {
  return [
    {
      name: '/health',
      methods: READ_METHODS,
      handle: (_request, response) => {
        sendOk(response);
      },
    },
    {
      name: '/ready',
      methods: READ_METHODS,
      async handle(_request, response) {
        const trouble = isDraining() ? 'The process is stopping.' : await troubleOf(pingStore);
        const hint = 'Send requests to another replica, or try again in some seconds.';
        if (trouble === null) sendOk(response);
        else sendRefusal(response, retryLater(503, trouble, 5, hint));
      },
    },
  ];
}

const OK = JSON.stringify({ status: 'ok' });

function sendOk(response: ServerResponse): void {
  response.writeHead(200, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': OK.length,
  });
  response.end(OK);
}

/** Load balancers give up after a few seconds. */
const ANSWER_MS = 3000;

async function troubleOf(pingStore: () => Promise<void>): Promise<string | null> {
  const late = delay(ANSWER_MS, 'The store does not answer.', { ref: false });
  const ping = pingStore().then(
    () => null,
    () => 'The store cannot be read or written to.',
  );
  return Promise.race([ping, late]);
}
