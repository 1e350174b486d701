import type { ImageRules, Model, VideoOptions } from '../models/define-model.ts';
import { DEFAULT_MODEL, modelById, withDefaults, type ModelId } from '../models/index.ts';
import { parseUrl } from '../url.ts';
import type { TaskInput } from './task.ts';

/** Problems of an image at a URL or in an upload. */
const IMAGE_ISSUE_CODES = [
  'IMAGE_UNREACHABLE',
  'IMAGE_TYPE',
  'IMAGE_BROKEN',
  'IMAGE_ANIMATED',
  'IMAGE_TOO_LARGE',
  'IMAGE_TOO_SMALL',
  'IMAGE_TOO_MANY_PIXELS',
  'IMAGE_ASPECT_RATIO',
] as const;

export type ImageIssueCode = (typeof IMAGE_ISSUE_CODES)[number];

export interface ImageIssue {
  readonly code: ImageIssueCode;
  /** What is wrong and how to fix it. */
  readonly message: string;
}

/**
 * Checks the image at a URL by the rules of a model; null if it is valid, or if only the provider checks it. Rejects with
 * RATE_LIMITED for too many concurrent checks of one owner, with SERVICE_UNAVAILABLE at once when the process is `stopping`,
 * and with StoreUnavailableError.
 */
export type InspectImage = (
  owner: string,
  url: string,
  rules: ImageRules,
  how: ImageInspection,
) => Promise<ImageIssue | null>;

export interface ImageInspection {
  readonly stopping: AbortSignal;
  /** Whether an image that was not uploaded here may be fetched; otherwise it passes. */
  readonly mayFetch: boolean;
}

export const VALIDATION_ISSUE_CODES = [
  'REQUIRED',
  'TOO_SHORT',
  'TOO_LONG',
  'NOT_A_URL',
  'URL_SCHEME',
  'URL_CREDENTIALS',
  'INVALID_CHARACTERS',
  'NOT_SUPPORTED',
  'NOT_ALLOWED',
  ...IMAGE_ISSUE_CODES,
] as const;

export type ValidationIssueCode = (typeof VALIDATION_ISSUE_CODES)[number];

export interface ValidationIssue {
  readonly field: Exclude<keyof CreateInput, 'model'>;
  readonly code: ValidationIssueCode;
  /** What is wrong and how to fix it. */
  readonly message: string;
}

type Nullish<Fields> = { readonly [Name in keyof Fields]?: Fields[Name] | null | undefined };

/** The input of createImageToVideo, unchecked. */
export interface CreateInput extends Nullish<VideoOptions> {
  readonly prompt: string;
  readonly imageUrl: string;
  readonly endImageUrl?: string | null | undefined;
  readonly promptOptimizer?: boolean | null | undefined;
  readonly idempotencyKey?: string | null | undefined;
  /** The default model if left out. */
  readonly model?: ModelId | null | undefined;
}

export interface ValidInput {
  readonly model: Model;
  readonly input: TaskInput;
  /** The options as the client gave them, without defaults. */
  readonly asked: VideoOptions;
  readonly idempotencyKey: string | null;
}

const MAX_URL = 2048;
const MAX_KEY = 255;

type Field = ValidationIssue['field'];
type Report = (field: Field, code: ValidationIssueCode, message: string) => void;

/** Checks and normalises an input by the rules of its model. Reports all problems of all fields. */
export function validateInput(
  given: CreateInput,
): { readonly valid: ValidInput } | { readonly issues: readonly ValidationIssue[] } {
  const model = given.model ? modelById(given.model) : DEFAULT_MODEL;
  const issues: ValidationIssue[] = [];
  const report: Report = (field, code, message) =>
    issues.push({ field, code, message: `${field} ${message}` });
  const endImageUrl = given.endImageUrl?.trim() ?? '';
  const idempotencyKey = given.idempotencyKey ?? null;
  const promptOptimizer = given.promptOptimizer ?? null;
  const asked = askedOptions(given);

  checkPrompt(report, given.prompt, model);
  checkUrl(report, 'imageUrl', given.imageUrl);
  if (endImageUrl !== '') checkUrl(report, 'endImageUrl', endImageUrl);
  else if (model.lastImage === 'REQUIRED')
    report('endImageUrl', 'REQUIRED', `must be given, because ${model.title} needs a last image.`);
  if (idempotencyKey !== null) checkText(report, 'idempotencyKey', idempotencyKey, MAX_KEY);
  const chosen = { ...asked, endImageUrl: endImageUrl === '' ? null : endImageUrl, promptOptimizer };
  for (const field of unsupported(chosen, model))
    report(field, 'NOT_SUPPORTED', `does not exist for ${model.title}. Leave it out, or take another model.`);
  checkOptions(report, asked, model);
  if (issues.length > 0) return { issues };

  const { prompt } = given;
  const input = {
    model: model.name,
    prompt,
    imageUrl: given.imageUrl.trim(),
    endImageUrl: chosen.endImageUrl,
    promptOptimizer,
    options: withDefaults(model, asked),
  };
  return { valid: { model, input, asked, idempotencyKey } };
}

function askedOptions(given: CreateInput): VideoOptions {
  const { durationSeconds = null, resolution = null, seed = null, sound = null } = given;
  const negativePrompt = given.negativePrompt === '' ? null : (given.negativePrompt ?? null);
  return { durationSeconds, resolution, sound, negativePrompt, seed };
}

type Chosen = VideoOptions & Pick<TaskInput, 'endImageUrl' | 'promptOptimizer'>;

/** The fields that are given and that the model does not have. */
function unsupported(chosen: Chosen, model: Model): readonly (keyof Chosen)[] {
  const isThere: Readonly<Record<keyof Chosen, boolean>> = {
    endImageUrl: model.lastImage !== 'NONE',
    promptOptimizer: model.promptOptimizer !== 'NONE',
    durationSeconds: model.durationSeconds.values.length > 0,
    resolution: model.resolution.values.length > 0,
    sound: model.sound.support !== 'NONE',
    negativePrompt: model.negativePrompt !== null,
    seed: model.seed !== null,
  };
  const fields = Object.keys(isThere) as (keyof Chosen)[];
  return fields.filter((field) => chosen[field] !== null && !isThere[field]);
}

/** Checks the values of options that the model has. */
function checkOptions(report: Report, asked: VideoOptions, model: Model): void {
  const { negativePrompt, seed } = asked;
  const checkChoice = <Value>(field: Field, value: Value | null, values: readonly Value[]): boolean => {
    if (value === null || values.length === 0 || values.includes(value)) return true;
    report(field, 'NOT_ALLOWED', `must be one of ${values.join(', ')} for ${model.title}.`);
    return false;
  };
  const isDuration = checkChoice('durationSeconds', asked.durationSeconds, model.durationSeconds.values);
  const isResolution = checkChoice('resolution', asked.resolution, model.resolution.values);
  const conflict = isDuration && isResolution ? model.conflict(withDefaults(model, asked)) : null;
  if (conflict) report(conflict.field, 'NOT_ALLOWED', conflict.message);
  if (negativePrompt !== null && model.negativePrompt)
    checkText(report, 'negativePrompt', negativePrompt, model.negativePrompt.maxLength);
  if (seed !== null && model.seed && (seed < 0 || seed > model.seed.max))
    report('seed', 'NOT_ALLOWED', `must be between 0 and ${model.seed.max} for ${model.title}.`);
}

/** NUL and lone surrogates: databases and JSON clients refuse or alter them. */
export function hasInvalidCharacters(text: string): boolean {
  return text.includes('\0') || /\p{Surrogate}/u.test(text);
}

function checkPrompt(
  report: Report,
  prompt: string,
  { prompt: { maxLength, minLength }, title }: Model,
): void {
  if (!checkText(report, 'prompt', prompt, maxLength) || minLength === 1) return;
  const length = countCodePoints(prompt);
  if (length < minLength)
    report('prompt', 'TOO_SHORT', `has ${length} characters; ${title} needs at least ${minLength}.`);
}

/** Returns whether further checks make sense. */
function checkText(report: Report, field: Field, text: string, max: number): boolean {
  // A key may consist of white space.
  const isKey = field === 'idempotencyKey';
  if ((isKey ? text : text.trim()) === '') {
    report(field, 'REQUIRED', `must not be ${isKey ? 'empty' : 'empty or only white space'}.`);
    return false;
  }
  // A text that is several times too long is not looked through.
  if (text.length > 4 * max) {
    report(field, 'TOO_LONG', `has more than ${max} characters; at most ${max} are allowed.`);
    return false;
  }
  const length = countCodePoints(text);
  const isTooLong = length > max;
  if (isTooLong) report(field, 'TOO_LONG', `has ${length} characters; at most ${max} are allowed.`);
  if (hasInvalidCharacters(text)) {
    report(field, 'INVALID_CHARACTERS', 'contains NUL or half of a surrogate pair; remove it.');
    return false;
  }
  return !isTooLong;
}

function checkUrl(report: Report, field: Field, text: string): void {
  if (!checkText(report, field, text.trim(), MAX_URL)) return;
  const url = parseAbsoluteUrl(text.trim());
  if (!url) {
    const example = 'such as https://example.com/image.png, with spaces written as %20';
    report(field, 'NOT_A_URL', `must be an absolute URL ${example}.`);
    return;
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    const why = 'because the provider downloads the image from it';
    report(field, 'URL_SCHEME', `must begin with http:// or https://, ${why}.`);
  }
  if (url.username !== '' || url.password !== '')
    report(field, 'URL_CREDENTIALS', 'must not contain a user name or password. Use a URL that needs none.');
}

/** Stricter than URL, which accepts white space, `https:host` and `https:\\host`. */
function parseAbsoluteUrl(text: string): URL | null {
  const url = /\s|\p{Cc}/u.test(text) ? null : parseUrl(text);
  if (!url) return null;
  const isHttp = url.protocol === 'http:' || url.protocol === 'https:';
  return isHttp && !/^https?:\/\/[^/\\]/i.test(text) ? null : url;
}

function countCodePoints(text: string): number {
  return Array.from(text).length;
}
