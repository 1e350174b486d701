import type { TaskInput } from './task.ts';
import { parseUrl } from '../url.ts';

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
 * Checks the image at a URL; null if it is valid. Rejects with RATE_LIMITED for too many concurrent checks of one owner, with
 * SERVICE_UNAVAILABLE at once when the process is `stopping`, and with StoreUnavailableError.
 */
export type InspectImage = (owner: string, url: string, stopping: AbortSignal) => Promise<ImageIssue | null>;

export const VALIDATION_ISSUE_CODES = [
  'REQUIRED',
  'TOO_LONG',
  'NOT_A_URL',
  'URL_SCHEME',
  'URL_CREDENTIALS',
  'INVALID_CHARACTERS',
  ...IMAGE_ISSUE_CODES,
] as const;

export type ValidationIssueCode = (typeof VALIDATION_ISSUE_CODES)[number];

export interface ValidationIssue {
  readonly field: 'prompt' | 'imageUrl' | 'endImageUrl' | 'idempotencyKey';
  readonly code: ValidationIssueCode;
  /** What is wrong and how to fix it. */
  readonly message: string;
}

/** The input of createImageToVideo, unchecked. */
export interface CreateInput {
  readonly prompt: string;
  readonly imageUrl: string;
  readonly endImageUrl?: string | null | undefined;
  readonly promptOptimizer?: boolean | null | undefined;
  readonly idempotencyKey?: string | null | undefined;
}

export type ValidInput = TaskInput & { readonly idempotencyKey: string | null };

/** The provider's documented limit. */
const MAX_PROMPT = 1500;
const MAX_URL = 2048;
const MAX_KEY = 255;

type Issues = ValidationIssue[];
type Field = ValidationIssue['field'];

/** Checks and normalises an input. Reports all problems of all fields. */
export function validateInput(
  input: CreateInput,
): { readonly valid: ValidInput } | { readonly issues: readonly ValidationIssue[] } {
  const issues: Issues = [];
  const endImageUrl = input.endImageUrl?.trim() ?? '';
  const idempotencyKey = input.idempotencyKey ?? null;

  checkText(issues, 'prompt', input.prompt, MAX_PROMPT);
  checkUrl(issues, 'imageUrl', input.imageUrl);
  if (endImageUrl !== '') checkUrl(issues, 'endImageUrl', endImageUrl);
  if (idempotencyKey !== null) checkText(issues, 'idempotencyKey', idempotencyKey, MAX_KEY);
  if (issues.length > 0) return { issues };

  return {
    valid: {
      prompt: input.prompt,
      imageUrl: input.imageUrl.trim(),
      endImageUrl: endImageUrl === '' ? null : endImageUrl,
      promptOptimizer: input.promptOptimizer ?? null,
      idempotencyKey,
    },
  };
}

/** NUL and lone surrogates: databases and JSON clients refuse or alter them. */
export function hasInvalidCharacters(text: string): boolean {
  return text.includes('\0') || /\p{Surrogate}/u.test(text);
}

/** Returns whether further checks make sense. */
function checkText(issues: Issues, field: Field, text: string, max: number): boolean {
  // A key may consist of white space.
  const isKey = field === 'idempotencyKey';
  if ((isKey ? text : text.trim()) === '') {
    const what = isKey ? 'empty' : 'empty or only white space';
    issues.push({ field, code: 'REQUIRED', message: `${field} must not be ${what}.` });
    return false;
  }
  const length = countCodePoints(text);
  const isTooLong = length > max;
  if (isTooLong) {
    issues.push({
      field,
      code: 'TOO_LONG',
      message: `${field} has ${length} characters; at most ${max} are allowed.`,
    });
  }
  if (hasInvalidCharacters(text)) {
    issues.push({
      field,
      code: 'INVALID_CHARACTERS',
      message: `${field} contains NUL or half of a surrogate pair; remove it.`,
    });
    return false;
  }
  return !isTooLong;
}

function checkUrl(issues: Issues, field: Field, text: string): void {
  if (!checkText(issues, field, text.trim(), MAX_URL)) return;
  const url = parseAbsoluteUrl(text.trim());
  if (!url) {
    const message = `${field} must be an absolute URL such as https://example.com/image.png, with spaces written as %20.`;
    issues.push({ field, code: 'NOT_A_URL', message });
    return;
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    const message = `${field} must begin with http:// or https://, because the provider downloads the image from it.`;
    issues.push({ field, code: 'URL_SCHEME', message });
  }
  if (url.username !== '' || url.password !== '') {
    const message = `${field} must not contain a user name or password. Use a URL that needs none.`;
    issues.push({ field, code: 'URL_CREDENTIALS', message });
  }
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
