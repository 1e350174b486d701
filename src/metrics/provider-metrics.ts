import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { AccountError, HeldCalls } from '../providers/breaker.ts';
import type { Provider, QueryAnswer } from '../tasks/provider.ts';
import type { UploadOutcome, UploadImage } from '../images/upload.ts';

const ANSWERS: readonly QueryAnswer['kind'][] = ['update', 'running', 'nothing'];
const ACCOUNT_ERRORS: readonly AccountError[] = ['UNAUTHORIZED', 'INSUFFICIENT_CREDITS', 'QUOTA_EXCEEDED'];
const CALL_S = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Outcomes and durations of calls to the provider. */
export function createProviderMetrics(registry: Registry) {
  const registers = [registry];
  const creates = new Counter({
    name: 'kineograph_create_calls_total',
    help: 'Create calls by outcome (accepted, refused, not-now, unknown) and failure code (none without one).',
    labelNames: ['outcome', 'code'],
    registers,
  });
  const createTime = new Histogram({
    name: 'kineograph_create_call_duration_seconds',
    help: 'Duration of create calls.',
    buckets: CALL_S,
    registers,
  });
  const queries = new Counter({
    name: 'kineograph_queries_total',
    help: 'Queries of a task by answer: update (a new state), running (no change), nothing (the provider does not know it).',
    labelNames: ['outcome'],
    registers,
  });
  const queryTime = new Histogram({
    name: 'kineograph_query_duration_seconds',
    help: 'Duration of queries of a task.',
    buckets: CALL_S,
    registers,
  });
  for (const outcome of ['accepted', 'unknown']) creates.labels(outcome, 'none').inc(0);
  for (const outcome of ANSWERS) queries.labels(outcome).inc(0);

  return {
    /** Wraps a provider and measures its calls. */
    watch: (provider: Provider): Provider => ({
      ...provider,
      async createTask(input, callbackUrl) {
        const stop = createTime.startTimer();
        const outcome = await provider.createTask(input, callbackUrl);
        if ('isHeldBack' in outcome) return outcome;
        stop();
        creates.labels(outcome.kind, 'failure' in outcome ? outcome.failure.code : 'none').inc();
        return outcome;
      },
      async queryTask(providerTaskId) {
        const stop = queryTime.startTimer();
        const answer = await provider.queryTask(providerTaskId);
        if ('isHeldBack' in answer) return answer;
        stop();
        queries.labels(answer.kind).inc();
        return answer;
      },
    }),
    heldBack: showHeldBack(registry),
    accountRefusal: countRefusals(registry),
  };
}

/** Sets whether calls are held back. */
function showHeldBack(registry: Registry) {
  const held = new Gauge({
    name: 'kineograph_provider_calls_held_back',
    help: '1 from when calls of this kind were held back because the provider could not be reached, until one succeeds.',
    labelNames: ['calls'],
    registers: [registry],
  });
  for (const calls of ['creates', 'queries'] satisfies HeldCalls[]) held.labels(calls).set(0);
  return (calls: HeldCalls, isHeld: boolean): void => {
    held.labels(calls).set(isHeld ? 1 : 0);
  };
}

/** Counts a refusal because of the key or the account. */
function countRefusals(registry: Registry) {
  const refusals = new Counter({
    name: 'kineograph_account_refusals_total',
    help: 'Calls that the provider refused because of the key or the account, by failure code: the operator has to act.',
    labelNames: ['code'],
    registers: [registry],
  });
  // At zero from the start, so that the first one is an increase.
  for (const code of ACCOUNT_ERRORS) refusals.labels(code).inc(0);
  return (code: AccountError): void => {
    refusals.labels(code).inc();
  };
}

/** How long an answer is used. */
const KEPT_MS = 60_000;

/**
 * Shows the credits that the provider reported last. A scrape asks for them at most once a minute, counting other requests
 * for credits, and the next scrape shows the answer. Returns the same provider, watched.
 */
export function watchCredits(registry: Registry, provider: Provider): Provider {
  let known: number | null = null;
  let askedAt = -Infinity;

  async function ask(): Promise<number | null> {
    askedAt = performance.now();
    known = await provider.credits();
    return known;
  }

  new Gauge({
    name: 'kineograph_credits_remaining',
    help: 'Credits of the account in the latest answer of the provider; absent while it gives none.',
    registers: [registry],
    collect() {
      // The contract forbids a rejection.
      if (performance.now() - askedAt >= KEPT_MS) ask().catch(() => undefined);
      if (known === null) this.remove();
      else this.set(known);
    },
  });
  return { ...provider, credits: ask };
}

const KINDS: readonly UploadOutcome['kind'][] = ['uploaded', 'unfit', 'refused', 'unavailable'];

/** Counts how uploads end. Returns the same function, watched. */
export function watchUploads(registry: Registry, upload: UploadImage): UploadImage {
  const uploads = new Counter({
    name: 'kineograph_uploads_total',
    help: 'Uploaded images by outcome: uploaded, known (uploaded before), unfit, refused (by the provider), unavailable.',
    labelNames: ['outcome'],
    registers: [registry],
  });
  for (const outcome of [...KINDS, 'known']) uploads.labels(outcome).inc(0);
  return async (owner, source) => {
    const outcome = await upload(owner, source);
    const isKnown = outcome.kind === 'uploaded' && !outcome.isNew;
    uploads.labels(isKnown ? 'known' : outcome.kind).inc();
    return outcome;
  };
}
