import type { Model } from '../api/operations.ts';
import type { Language } from '../text/language.ts';

/** The limits of a model, to be filled into texts. */
export type Limits = ReturnType<typeof limitsOf>;

export function limitsOf({ image, promptMaxLength, promptMinLength }: Model, language: Language) {
  const types = image.mediaTypes.map((type) => NAMES[type] ?? type);
  return {
    minPrompt: promptMinLength,
    maxPrompt: promptMaxLength,
    types: new Intl.ListFormat(language, { type: 'disjunction' }).format(types),
    megabytes: image.maxBytes / 1024 / 1024,
    // Images are rejected by a limit only where there is one.
    minSide: image.minSide ?? '',
    maxRatio: image.maxRatio ?? '',
  };
}

const NAMES: Readonly<Record<string, string>> = {
  'image/jpeg': 'JPEG',
  'image/png': 'PNG',
  'image/webp': 'WebP',
  'image/heic': 'HEIC',
};
