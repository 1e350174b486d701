import type { TaskFailure } from '../../tasks/failure.ts';
import type { Log } from '../../tasks/log.ts';
import { DEFAULT_MODEL, modelByName } from '../../models/index.ts';
import type { CreateOutcome, Provider, ProviderLimits, QueryAnswer } from '../../tasks/provider.ts';
import type { TaskInput } from '../../tasks/task.ts';
import {
  createAccountAlarm,
  type AccountError,
  createBreaker,
  isHeldBack,
  type HeldCalls,
} from '../breaker.ts';
import { namedIds, parseCallback, readAnswer, readCreateOutcome, recordOf } from './answers.ts';
import { verifySignature } from './signature.ts';
import { createKieUpload } from './uploads.ts';
import { parseEnvelope, parseJson, type Envelope, creditsOf, urlOf } from './wire.ts';
import { createHttp } from '../http.ts';
import { createScrub, type Scrub } from '../../log/scrub.ts';

export interface KieOptions {
  /** Origin of the API, without a trailing slash. */
  readonly apiUrl: string;
  readonly apiKey: string;
  /** HTTP proxy for all calls but uploads. */
  readonly proxy?: string | null | undefined;
  /** Origin of the upload service, without a trailing slash, and its proxy. */
  readonly uploads: { readonly url: string; readonly proxy?: string | null | undefined };
  /** The keys that sign callbacks. */
  readonly hmacKeys: readonly string[];
  readonly limits: ProviderLimits;
  /** kie.ai rejects calls without a common User-Agent, with a page that looks like a wrong key. */
  readonly userAgent: string;
  readonly createTimeoutMs: number;
  /** For every other call. */
  readonly queryTimeoutMs: number;
  /** Interval of trial calls while the circuit breaker is open. */
  readonly breakerRetryMs?: number;
  readonly log: Log;
  /** Called when a circuit breaker opens or closes. */
  readonly onHeldBack?: (calls: HeldCalls, isHeld: boolean) => void;
  /** Called when the provider refuses a call because of the key or the account. */
  readonly onAccountRefusal?: (code: AccountError) => void;
}

const BREAKER_RETRY_MS = 5000;

export function createKie(options: KieOptions): Provider {
  const { apiKey, breakerRetryMs = BREAKER_RETRY_MS, hmacKeys, limits, log, onHeldBack } = options;
  const alarm = createAccountAlarm({ log, onRefusal: options.onAccountRefusal });
  const breaking = { retryMs: breakerRetryMs, log, onChange: onHeldBack };
  const http = createHttp(options);
  const { proxy, url: uploadUrl } = options.uploads;
  const uploads = createKieUpload({ ...options, uploadUrl, proxy });
  const scrub = createScrub([apiKey]);
  // Two breakers: creates and queries can fail independently.
  const creates = createBreaker('creates', breaking);
  const reads = createBreaker('queries', breaking);

  return {
    name: 'kie',
    limits,

    async createTask(task, callbackUrl) {
      const body = createBody(task, callbackUrl);
      if (body === null) return { kind: 'refused', failure: UNKNOWN_MODEL };
      try {
        return forModel(await creates(() => create(body)), task);
      } catch (error) {
        log.debug({ err: error }, 'a create call could not connect to the provider');
        return isHeldBack(error) ? { ...UNREACHABLE, isHeldBack: true } : UNREACHABLE;
      }
    },

    async queryTask(providerTaskId) {
      const path = `/api/v1/jobs/recordInfo?taskId=${encodeURIComponent(providerTaskId)}`;
      const { body, ...noAnswer } = await get(path);
      if (body === null) return { kind: 'nothing', reason: 'no response', ...noAnswer };
      const envelope = envelopeIn(body);
      return envelope ? scrubbed(readQuery(envelope, providerTaskId), scrub) : NO_ENVELOPE;
    },

    async credits() {
      const envelope = envelopeIn((await get('/api/v1/chat/credit')).body ?? '');
      const credits = envelope?.code === 200 ? creditsOf(envelope.data) : null;
      if (credits !== null) alarm.balance(credits);
      return credits;
    },

    /** kie.ai docs: "Get Download URL". Only for URLs of kie.ai; the other URL is valid for 20 minutes. */
    async freshUrl(url) {
      const answer = await http.postOnce('/api/v1/common/download-url', JSON.stringify({ url }));
      const envelope = 'body' in answer ? envelopeIn(answer.body) : null;
      return envelope?.code === 200 ? urlOf(envelope.data) : null;
    },

    parseCallback,
    verifyCallback: (providerTaskId, headerOf, now) =>
      verifySignature(hmacKeys, providerTaskId, headerOf, now),

    upload: uploads.upload,

    async close() {
      await Promise.all([http.close(), uploads.close()]);
    },
  };

  /** Rejects only if no connection was established. */
  async function create(body: string): Promise<CreateOutcome> {
    const answer = await http.postOnce('/api/v1/jobs/createTask', body);
    if ('body' in answer) {
      const outcome = readCreateOutcome(answer, Date.now());
      if (outcome.kind === 'refused') alarm.code(Number(outcome.failure.providerCode));
      return scrubbed(outcome, scrub);
    }
    if (!answer.hadConnected) throw answer.error;
    return { kind: 'unknown', reason: answer.error.message };
  }

  function envelopeIn(body: string): Envelope | null {
    const envelope = parseEnvelope(parseJson(body));
    if (envelope) alarm.code(envelope.code);
    return envelope;
  }

  async function get(path: string): Promise<{ readonly body: string | null; readonly isHeldBack?: true }> {
    try {
      return { body: await reads(() => http.get(path)) };
    } catch (error) {
      log.debug({ err: error }, 'a query got no response');
      return { body: null, ...(isHeldBack(error) && { isHeldBack: true }) };
    }
  }
}

const UNREACHABLE = {
  kind: 'not-now',
  failure: { code: 'UNREACHABLE', providerCode: null, message: 'The provider is unreachable.' },
  retryAfterMs: null,
} as const satisfies CreateOutcome;

/** The request body of kie.ai's createTask page; null for a model that this version does not know. */
function createBody(task: TaskInput, callbackUrl: string | null): string | null {
  const model = modelByName(task.model);
  return (
    model &&
    JSON.stringify({
      model: model.name,
      ...(callbackUrl !== null && { callBackUrl: callbackUrl }),
      input: model.toProvider(task),
    })
  );
}

const UNKNOWN_MODEL: TaskFailure = {
  code: 'MODEL_UNAVAILABLE',
  providerCode: null,
  message: 'This version of the gateway does not know the model of the task.',
};

/** What kie.ai says with code 422 of a model that it does not offer (observed; its pages give no message). */
const NOT_PUBLISHED = /not published/i;

/** The outcome in which a refusal of the model itself has its own code. The default model keeps the codes of 0.1.0. */
function forModel(outcome: CreateOutcome, { model }: TaskInput): CreateOutcome {
  if (outcome.kind !== 'refused' || model === DEFAULT_MODEL.name) return outcome;
  const { message, providerCode } = outcome.failure;
  const isModel =
    providerCode === '404' ||
    providerCode === '505' ||
    (providerCode === '422' && NOT_PUBLISHED.test(message));
  if (!isModel) return outcome;
  const said = `kie.ai does not offer the model ${model} at present. It said: ${message}`;
  return { ...outcome, failure: { code: 'MODEL_UNAVAILABLE', providerCode, message: said } };
}

const NO_ENVELOPE: QueryAnswer = { kind: 'nothing', reason: 'the response is not a kie.ai envelope' };

function readQuery(envelope: Envelope, providerTaskId: string): QueryAnswer {
  const record = recordOf(envelope);
  const otherId = namedIds(envelope, record).find((id) => id !== providerTaskId);
  if (otherId !== undefined)
    return { kind: 'nothing', reason: `the response is about another task, ${otherId}` };
  return readAnswer(envelope, record, providerTaskId, isTaskFailure);
}

/** Codes that mean that the task itself failed. They come with HTTP 200 and without data. */
function isTaskFailure(code: number): boolean {
  return code === 501 || code === 408 || code === 531;
}

/** The same with the provider's words scrubbed, which may repeat the API key. */
function scrubbed<Answer extends CreateOutcome | QueryAnswer>(answer: Answer, scrub: Scrub): Answer {
  return JSON.parse(JSON.stringify(answer), (name, value: unknown) =>
    typeof value === 'string' && (name === 'message' || name === 'reason') ? scrub(value) : value,
  ) as Answer;
}
