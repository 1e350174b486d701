import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { AccountError, HeldCalls } from '../providers/breaker.ts';
import type { Provider, QueryAnswer } from '../tasks/provider.ts';
import type { UploadOutcome, UploadImage } from '../images/upload.ts';

const ANSWERS: readonly QueryAnswer['kind'][] = ['update', 'running', 'nothing'];
const ACCOUNT_ERRORS: readonly AccountError[] = ['UNAUTHORIZED', 'INSUFFICIENT_CREDITS', 'QUOTA_EXCEEDED'];
const CALL_S = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export interface ProviderMetrics {
  /** Wraps a provider and measures its calls. */
  watch(provider: Provider): Provider;
  /** Called when a circuit breaker opens or closes. */
  heldBack(calls: HeldCalls, isHeld: boolean): void;
  /** Counts a refusal because of the key or the account. */
  accountRefusal(code: AccountError): void;
}

/** Outcomes and durations of calls to the provider. */
export function createProviderMetrics(registry: Registry): ProviderMetrics {
  const registers = [registry];
  const creates = new Counter({
    name: 'kineograph_create_calls_total',
    help: 'Create calls by how they ended (accepted, refused, not-now, unknown), with the failure code (none where there is none).',
    labelNames: ['outcome', 'code'],
    registers,
  });
  const createTime = new Histogram({
    name: 'kineograph_create_call_duration_seconds',
    help: 'How long create calls took.',
    buckets: CALL_S,
    registers,
  });
  const queries = new Counter({
    name: 'kineograph_queries_total',
    help: 'Queries of a task by what they brought: update (a state), running (nothing that moves it), nothing (no word on it).',
    labelNames: ['outcome'],
    registers,
  });
  const queryTime = new Histogram({
    name: 'kineograph_query_duration_seconds',
    help: 'How long queries of a task took.',
    buckets: CALL_S,
    registers,
  });
  for (const outcome of ['accepted', 'unknown']) creates.labels(outcome, 'none').inc(0);
  for (const outcome of ANSWERS) queries.labels(outcome).inc(0);

  return {
    watch: (provider) => ({
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

function showHeldBack(registry: Registry): ProviderMetrics['heldBack'] {
  const held = new Gauge({
    name: 'kineograph_provider_calls_held_back',
    help: '1 from when calls of this kind were held back because the provider could not be reached, until one succeeds.',
    labelNames: ['calls'],
    registers: [registry],
  });
  for (const calls of ['creates', 'queries'] satisfies HeldCalls[]) held.labels(calls).set(0);
  return (calls, isHeld) => {
    held.labels(calls).set(isHeld ? 1 : 0);
  };
}

function countRefusals(registry: Registry): ProviderMetrics['accountRefusal'] {
  const refusals = new Counter({
    name: 'kineograph_account_refusals_total',
    help: 'Calls of any kind that the provider refused because of the key or the account, by failure code: the operator has to act.',
    labelNames: ['code'],
    registers: [registry],
  });
  // Starts at 0, so that the first refusal is visible as an increase.
  for (const code of ACCOUNT_ERRORS) refusals.labels(code).inc(0);
  return (code) => {
    refusals.labels(code).inc();
  };
}

/** Minimum interval of balance queries by scrapes. */
const KEPT_MS = 60_000;

/**
 * Gauge of the account's last known balance. A scrape queries it at most once a minute, and the next scrape shows the
 * result. Returns the provider, wrapped so that other queries update the gauge too.
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
    help: 'Credits of the account, as the provider said when it was asked last, at a scrape before; absent while it does not say.',
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

/** Wraps uploads and counts their outcomes. */
export function watchUploads(registry: Registry, upload: UploadImage): UploadImage {
  const uploads = new Counter({
    name: 'kineograph_uploads_total',
    help: 'Pictures that came whole or were refused on the way, by what became of them: uploaded, known (was there already), unfit, refused (by the provider), unavailable.',
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
