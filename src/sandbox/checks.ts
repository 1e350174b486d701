import { z } from 'zod';
import { parseUrl } from '../url.ts';

/** Checks of parameters. Each message is the end of a sentence that begins with the parameter. */

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

/** The parameters of a model, and no others. */
export function parameters<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const required = Object.entries(shape).filter(([, check]) => !z.safeParse(check, undefined).success);
  const names = new Intl.ListFormat('en').format(required.map(([name]) => name));
  return object(shape, `must be an object${names === '' ? '' : ` with ${names}`}`);
}

/** A text of so many characters, which are Unicode code points. */
export function characters(most: number, least = 1): z.ZodString {
  const isLong = (value: string): boolean => Array.from(value).length >= least;
  const isShort = (value: string): boolean => Array.from(value).length <= most;
  return (
    text((value) => isLong(value) && isShort(value), `must be a string of ${least} to ${most} characters`)
      // For the catalogue: zod's own limits count UTF-16 units.
      .meta({ ...(least > 0 && { minLength: least }), maxLength: most })
  );
}

export function oneOf<const Word extends string>(...words: readonly Word[]) {
  return z.enum(words, `must be ${words.map((word) => `"${word}"`).join(' or ')}`);
}

export function wholeNumber(least: number, most: number): z.ZodInt {
  const expected = `must be a whole number from ${least} to ${most}`;
  return z.int(expected).min(least, expected).max(most, expected);
}

const SHARE = 'must be a number from 0 to 1';

export const share = z.number(SHARE).min(0, SHARE).max(1, SHARE);

export const flag = z.boolean('must be true or false');

const IMAGE_URL = 'must be the absolute http or https URL of an image';

export const imageUrl = text(isHttpUrl, IMAGE_URL);

/** kie.ai docs: the example of the Hailuo page sends "". */
export const imageUrlOrEmpty = text((url) => url === '' || isHttpUrl(url), `${IMAGE_URL}, or "" for none`);

/** kie.ai docs: the pattern on the MiniMax page. */
export const frameUrl = text((url) => isHttpUrl(url) || url.startsWith('oss://'), IMAGE_URL);

export const fileUrl = text(isHttpUrl, 'must be an absolute http or https URL');

/** An array of at most so many URLs. */
export function urls(most: number) {
  const expected = `must be an array of at most ${most} URLs`;
  return z.array(fileUrl, expected).max(most, expected);
}

const ONE_URL = 'must be an array of one URL';

export const oneUrl = z.array(fileUrl, ONE_URL).length(1, ONE_URL);
