import { z } from 'zod';
import { type Envelope, refusal } from './envelope.ts';

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
  return /^https?:\/\//i.test(text) && canParse(text);
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

/** Not `URL.canParse`: once optimised, Node 20 takes letters such as ü in it for broken UTF-8 and says no. */
function canParse(text: string): boolean {
  try {
    return new URL(text).href !== '';
  } catch {
    return false;
  }
}
