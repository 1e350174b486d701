import type { Writable } from 'node:stream';
import type { Model } from '../models/define-model.ts';
import { DEFAULT_MODEL, MODELS } from '../models/index.ts';

const LABEL_WIDTH = 12;

/** Lists the models that this version knows. */
export function listModels(stdout: Writable): void {
  for (const model of MODELS) {
    const title = model === DEFAULT_MODEL ? `${model.title} (the default)` : model.title;
    const rows = [
      ['title', title],
      ['provider id', model.name],
      ['seconds', choiceInWords(model.durationSeconds)],
      ['resolution', choiceInWords(model.resolution)],
      ['also', supportInWords(model)],
      ['credits', `${model.price.list} (${model.price.readAt})`],
    ];
    const lines = rows.map(([label = '', value = '']) => `  ${label.padEnd(LABEL_WIDTH)}${value}\n`);
    stdout.write(`${model.id}\n${lines.join('')}\n`);
  }
}

/** The values to choose from and the default, as in `4 to 15, default 6`. */
export function choiceInWords({
  default: standard,
  values,
}: Model['durationSeconds' | 'resolution']): string {
  if (values.length === 0) return standard === null ? 'no choice' : `always ${standard}`;
  return `${valuesInWords(values)}, default ${standard ?? 'not known'}`;
}

export function valuesInWords(values: readonly (number | string)[]): string {
  const [first, last] = [values[0], values.at(-1)];
  const isRange = values.length > 2 && Number(last) - Number(first) === values.length - 1;
  return isRange ? `${String(first)} to ${String(last)}` : values.join(' or ');
}

function supportInWords({ lastImage, negativePrompt, promptOptimizer, seed, sound }: Model): string {
  const supported = [
    lastImage !== 'NONE' && 'last image',
    sound.support !== 'NONE' && `sound (default ${sound.default === true ? 'on' : 'off'})`,
    negativePrompt && 'negative prompt',
    seed && 'seed',
    promptOptimizer !== 'NONE' && 'prompt optimizer',
  ];
  return supported.filter(Boolean).join(', ') || 'nothing';
}
