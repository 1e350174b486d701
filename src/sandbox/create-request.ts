import { z } from 'zod';
import { isHttpUrl, object, text } from './checks.ts';
import { type Envelope, refusal } from './envelope.ts';
import type { Order, SandboxModel } from './model.ts';
import { MODELS } from './models.ts';

/** A valid create request. */
export interface CreateRequest {
  readonly model: SandboxModel;
  /** The price of the video. */
  readonly credits: number;
  /** null: no callback. */
  readonly callBackUrl: string | null;
  /** The whole request as JSON, which recordInfo and callbacks return. */
  readonly param: string;
  readonly directives: Directives;
}

const NAMES = MODELS.map(({ name }) => `"${name}"`).join(' or ');

function schemaFor(model: SandboxModel | undefined) {
  return object(
    {
      model: z.string(`must be ${NAMES}`),
      callBackUrl: text(isHttpUrl, 'must be an absolute http or https URL').optional(),
      input: model?.input ?? z.unknown(),
    },
    'must be an object with model and input',
  );
}

/**
 * Validates the body of createTask and the directives of its prompt. A refusal names every invalid parameter under code 422
 * (kie.ai docs: "parameter validation failed"; an unknown model has a message of its own).
 */
export function parseCreateRequest(body: unknown): CreateRequest | { readonly refused: Envelope } {
  const name = typeof body === 'object' && body !== null && 'model' in body ? body.model : undefined;
  const model = MODELS.find((known) => known.name === name);
  if (typeof name === 'string' && !model)
    return { refused: refusal(422, 'The page does not exist or is not published') };
  const parsed = schemaFor(model).safeParse(body);
  if (!model || !parsed.success) {
    const issues = parsed.error?.issues ?? [];
    const faults = issues.map(({ path, message }) => `${path.join('.') || 'body'} ${message}`);
    // A text in place of an array has a length that is wrong as well.
    return { refused: refusal(422, `Parameter validation failed: ${[...new Set(faults)].join('; ')}`) };
  }
  const { callBackUrl = null, input } = parsed.data;
  const { credits, prompt } = input as Order;
  const directives = parseDirectives(prompt);
  if ('problem' in directives) return { refused: refusal(422, directives.problem) };
  return { model, credits, callBackUrl, param: JSON.stringify(body), directives };
}

/** How the end of a task is sent to its callback URL. */
export type CallbackManner = 'once' | 'never' | 'twice' | 'unsigned';

/** What a prompt asks the sandbox to simulate. */
export interface Directives {
  /** createTask answers this envelope code and creates nothing. */
  readonly rejectCode: number | null;
  /** The task ends as `fail` with this failCode. */
  readonly failCode: number | null;
  readonly callback: CallbackManner;
  /** The task is accepted, then the connection is cut before the answer. */
  readonly dropAnswer: boolean;
  /** How long the task takes; null: the default. */
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

function durationOf(value: string): number | null {
  const [, amount, unit = ''] = /^(\d+)(ms|s|m)$/.exec(value) ?? [];
  const durationMs = Number(amount) * (UNIT_MS[unit] ?? NaN);
  return durationMs <= MAX_DURATION_MS ? durationMs : null;
}

/** What one directive changes; null when its name or value is unknown. */
function effectOf(name: string, value: string): Partial<Directives> | null {
  const isCode = /^[1-9]\d{2,3}$/.test(value) && value !== '200';
  if (name === 'reject' && isCode) return { rejectCode: Number(value) };
  if (name === 'fail' && isCode) return { failCode: Number(value) };
  if (name === 'answer' && value === 'drop') return { dropAnswer: true };
  if (name === 'callback' && (value === 'never' || value === 'twice' || value === 'unsigned'))
    return { callback: value };
  const durationMs = name === 'duration' ? durationOf(value) : null;
  return durationMs === null ? null : { durationMs };
}

/**
 * Reads every `[sandbox: name=value]` of a prompt. What begins like a directive and is unknown is a problem, so that a typo
 * does not pass as a working test.
 */
export function parseDirectives(prompt: string): Directives | { readonly problem: string } {
  let directives = NONE;
  const seen = new Set<string>();
  for (const [directive, body = ''] of prompt.matchAll(/\[\s*sandbox\b([^\]]*)\]?/gi)) {
    const [, name = '', value = ''] = /^\s*:\s*([a-z]+)\s*=\s*(\w+)\s*$/.exec(body.toLowerCase()) ?? [];
    const effect = directive.endsWith(']') && !seen.has(name) ? effectOf(name, value) : null;
    if (effect === null) return { problem: `input.prompt: ${directive} is not understood. ${KNOWN}` };
    seen.add(name);
    directives = { ...directives, ...effect };
  }
  return directives;
}
