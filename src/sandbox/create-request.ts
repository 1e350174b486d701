import { z } from 'zod';
import { type Envelope, refusal } from './envelope.ts';
import { parseUrl } from '../url.ts';

/** The one model that is published here. */
export const MODEL = 'hailuo/02-image-to-video-pro';

const MAX_PROMPT_CHARACTERS = 1500;

/** A create request that passed validation. */
export interface CreateRequest {
  readonly prompt: string;
  /** null: nobody wants to be called. */
  readonly callBackUrl: string | null;
  /** The whole request as JSON, as `param` will echo it. */
  readonly param: string;
}

function isHttpUrl(text: string): boolean {
  return /^https?:\/\//i.test(text) && parseUrl(text) !== null;
}

function hasPromptLength(text: string): boolean {
  return text !== '' && Array.from(text).length <= MAX_PROMPT_CHARACTERS;
}

function text(isValid: (text: string) => boolean, expected: string) {
  return z.string(expected).refine(isValid, expected);
}

const flag = z.boolean('must be true or false');

// kie.ai docs: the parameters of the Hailuo Pro image-to-video page. What it does not list is refused, so that
// a misspelt optional parameter is noticed.
const inputSchema = z.strictObject(
  {
    prompt: text(hasPromptLength, `must be a string of 1 to ${MAX_PROMPT_CHARACTERS} characters`),
    image_url: text(isHttpUrl, 'must be the absolute http or https URL of an image'),
    end_image_url: text(
      (url) => url === '' || isHttpUrl(url),
      'must be the absolute http or https URL of an image, or "" for none',
    ).optional(),
    prompt_optimizer: flag.optional(),
    nsfw_checker: flag.optional(),
  },
  { error: inObject('must be an object with prompt and image_url') },
);

const schema = z.strictObject(
  {
    model: z.string(`must be "${MODEL}"`),
    callBackUrl: text(isHttpUrl, 'must be an absolute http or https URL').optional(),
    input: inputSchema,
  },
  { error: inObject('must be an object with model and input') },
);

/** Says which keys are too many, or else what the object should have been. */
function inObject(expected: string): z.core.$ZodErrorMap {
  return (issue) =>
    issue.code === 'unrecognized_keys' ? `has unknown parameters: ${issue.keys.join(', ')}` : expected;
}

function modelOf(body: unknown): unknown {
  return typeof body === 'object' && body !== null && 'model' in body ? body.model : undefined;
}

/**
 * Checks the body of createTask. What is wrong comes back as the envelope to answer with: code 422, its
 * message naming every parameter at fault (kie.ai docs: 422 is "parameter validation failed"; an unknown
 * model is answered with the message below).
 */
export function parseCreateRequest(body: unknown): CreateRequest | { readonly refused: Envelope } {
  const model = modelOf(body);
  if (typeof model === 'string' && model !== MODEL) {
    return { refused: refusal(422, 'The page does not exist or is not published') };
  }
  const parsed = schema.safeParse(body);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'body'} ${message}`);
    return { refused: refusal(422, `Parameter validation failed: ${faults.join('; ')}`) };
  }
  const { input, callBackUrl = null } = parsed.data;
  return { prompt: input.prompt, callBackUrl, param: JSON.stringify(body) };
}

/** How the completion of a task is told: as documented, or misbehaving on request. */
export type CallbackManner = 'once' | 'never' | 'twice' | 'unsigned';

/** What a prompt asks the sandbox to do with its task. */
export interface Directives {
  /** createTask answers this envelope code and creates nothing. */
  readonly rejectCode: number | null;
  /** The task ends as `fail` with this failCode. */
  readonly failCode: number | null;
  readonly callback: CallbackManner;
  /** The task is accepted, then the connection is cut before the answer. */
  readonly dropAnswer: boolean;
  /** How long the task takes; null: as long as any other. */
  readonly durationMs: number | null;
}

const KNOWN =
  'Known are [sandbox: reject=402], [sandbox: fail=501] (any code of three or four digits but 200), ' +
  '[sandbox: callback=never|twice|unsigned], [sandbox: answer=drop] and [sandbox: duration=30s] ' +
  '(ms, s or m, at most 24 h); several are allowed, each in its own brackets and once.';

const NONE: Directives = {
  rejectCode: null,
  failCode: null,
  callback: 'once',
  dropAnswer: false,
  durationMs: null,
};

const MAX_DURATION_MS = 24 * 3_600_000;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };

function codeOf(value: string): number | null {
  return /^[1-9]\d{2,3}$/.test(value) && value !== '200' ? Number(value) : null;
}

function durationOf(value: string): number | null {
  const [, amount, unit = ''] = /^(\d+)(ms|s|m)$/.exec(value) ?? [];
  const durationMs = Number(amount) * (UNIT_MS[unit] ?? NaN);
  return durationMs <= MAX_DURATION_MS ? durationMs : null;
}

/** What one directive changes, or null when its name or value means nothing. */
function effectOf(name: string, value: string): Partial<Directives> | null {
  const code = codeOf(value);
  const durationMs = durationOf(value);
  if (name === 'reject' && code !== null) return { rejectCode: code };
  if (name === 'fail' && code !== null) return { failCode: code };
  if (name === 'duration' && durationMs !== null) return { durationMs };
  if (name === 'answer' && value === 'drop') return { dropAnswer: true };
  if (name === 'callback' && (value === 'never' || value === 'twice' || value === 'unsigned')) {
    return { callback: value };
  }
  return null;
}

/**
 * Reads every `[sandbox: name=value]` of a prompt. Whatever begins like one and is not understood is a
 * problem, never ignored, so that a typing error does not pass for a working test.
 */
export function parseDirectives(prompt: string): Directives | { readonly problem: string } {
  let directives = NONE;
  const seen = new Set<string>();
  for (const [text, body = ''] of prompt.matchAll(/\[\s*sandbox\b([^\]]*)\]?/gi)) {
    const [, name = '', value = ''] = /^\s*:\s*([a-z]+)\s*=\s*(\w+)\s*$/i.exec(body) ?? [];
    const effect = text.endsWith(']') ? effectOf(name.toLowerCase(), value.toLowerCase()) : null;
    if (effect === null || seen.has(name.toLowerCase())) {
      return { problem: `input.prompt: ${text} is not understood. ${KNOWN}` };
    }
    seen.add(name.toLowerCase());
    directives = { ...directives, ...effect };
  }
  return directives;
}
