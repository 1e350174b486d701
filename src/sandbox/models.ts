import { z } from 'zod';
import { parseUrl } from '../url.ts';

/**
 * What the sandbox knows of a model, from kie.ai's pages. It is not shared with the gateway, so that a mistake on one side
 * shows on the other.
 */
export interface SandboxModel {
  readonly name: string;
  /** Its part of task ids, as in `task_hailuo_…`. */
  readonly idPart: string;
  /** The price of a video. */
  readonly credits: number;
  readonly input: z.ZodType<{ readonly prompt: string }>;
}

export function text(isValid: (text: string) => boolean, expected: string): z.ZodString {
  return z.string(expected).refine(isValid, expected);
}

export function isHttpUrl(url: string): boolean {
  return /^https?:\/\//i.test(url) && parseUrl(url) !== null;
}

/** Names unknown keys, or else says what the object should be. */
export function object<Shape extends z.ZodRawShape>(
  shape: Shape,
  expected: string,
): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? `has unknown parameters: ${issue.keys.join(', ')}` : expected,
  });
}

const MAX_PROMPT_CHARACTERS = 1500;
const IMAGE_URL = 'must be the absolute http or https URL of an image';
const flag = z.boolean('must be true or false').optional();

/** kie.ai docs: the parameters of the Hailuo Pro image-to-video page; kie.ai price list: "Pro-6.0s-1080p". */
const HAILUO_02_PRO: SandboxModel = {
  name: 'hailuo/02-image-to-video-pro',
  idPart: 'hailuo',
  credits: 57,
  input: object(
    {
      prompt: text(
        (prompt) => prompt !== '' && Array.from(prompt).length <= MAX_PROMPT_CHARACTERS,
        `must be a string of 1 to ${MAX_PROMPT_CHARACTERS} characters`,
      ),
      image_url: text(isHttpUrl, IMAGE_URL),
      end_image_url: text((url) => url === '' || isHttpUrl(url), `${IMAGE_URL}, or "" for none`).optional(),
      prompt_optimizer: flag,
      nsfw_checker: flag,
    },
    'must be an object with prompt and image_url',
  ),
};

export const MODELS: readonly SandboxModel[] = [HAILUO_02_PRO];
