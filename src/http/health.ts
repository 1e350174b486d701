import type { FastifyInstance } from 'fastify';
import { setTimeout as delay } from 'node:timers/promises';
import { PROBLEM_MEDIA_TYPE, problem } from './problem.ts';

interface HealthOptions {
  /** Rejects when the store cannot be read or written to. */
  readonly pingStore: () => Promise<void>;
  readonly isDraining: () => boolean;
}

/** `/health`: the process is alive. `/ready`: it should be sent requests. */
export function health(app: FastifyInstance, { isDraining, pingStore }: HealthOptions): void {
  app.get('/health', () => ({ status: 'ok' }));

  app.get('/ready', async (_request, reply) => {
    const detail = isDraining() ? 'The process is stopping.' : await storeTrouble(pingStore);
    if (detail === null) return { status: 'ok' };
    reply.code(503).header('retry-after', '5').type(PROBLEM_MEDIA_TYPE);
    return problem(503, detail, { hint: 'Send requests to another replica, or try again in some seconds.' });
  });
}

/** Whoever asks has little patience, and gives up without an answer. */
const ANSWER_MS = 3000;

async function storeTrouble(pingStore: () => Promise<void>): Promise<string | null> {
  const done = new AbortController();
  const late = delay(ANSWER_MS, 'The store does not answer.', { signal: done.signal, ref: false });
  late.catch(() => undefined);
  try {
    return await Promise.race([pingStore().then(() => null), late]);
  } catch {
    return 'The store cannot be read or written to.';
  } finally {
    done.abort();
  }
}
