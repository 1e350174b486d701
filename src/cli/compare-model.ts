import { isDeepStrictEqual } from 'node:util';
import type { Model, ModelInput } from '../models/define-model.ts';
import { withDefaults } from '../models/index.ts';
import { fieldsOf, type Fields } from '../providers/kie/wire.ts';

/** A line for each difference between a model here and the provider's OpenAPI document; null for an unknown kind of document. */
export function compareModel(model: Model, document: unknown): readonly string[] | null {
  const schema = inputSchema(document);
  if (schema === null) return null;
  const [plain, ...others] = samplesOf(model).map(model.toProvider);
  const always = plain ?? {};
  const unsent = schema.required.filter((name) => !(name in always));
  const found = unsent.map((name) => `${name}: the provider requires it, and Kineograph does not send it`);
  for (const [name, values] of valuesIn([always, ...others])) {
    const field = schema.fields[name];
    if (field) found.push(...compareField(field, values, name in always).map((line) => `${name}: ${line}`));
    else found.push(`${name}: Kineograph sends it, and the provider does not have it`);
  }
  return found;
}

const WAY_TO_INPUT =
  'paths|/api/v1/jobs/createTask|post|requestBody|content|application/json|schema|properties|input'.split(
    '|',
  );

/** What `input` of the create call takes; null if the document does not say. */
function inputSchema(document: unknown) {
  const follow = (from: unknown, keys: readonly string[]): unknown =>
    keys.reduce((value, key) => resolve(fieldsOf(value)?.[key]), from);
  // The provider writes a space in the name of a component as %20.
  const resolve = (value: unknown): unknown => {
    const pointer = fieldsOf(value)?.['$ref'];
    if (typeof pointer !== 'string') return value;
    const keys = pointer.replaceAll('%20', ' ').split('/').slice(1);
    return keys.reduce((target: unknown, key) => fieldsOf(target)?.[key], document);
  };
  const input = fieldsOf(follow(document, WAY_TO_INPUT));
  const properties = fieldsOf(input?.['properties']);
  if (!properties) return null;
  const fields: Record<string, Fields> = {};
  for (const [name, field] of Object.entries(properties)) fields[name] = fieldsOf(resolve(field)) ?? {};
  const required = input?.['required'];
  return { fields, required: Array.isArray(required) ? required.map(String) : [] };
}

/** Inputs that show every field and value that a client can choose; the first one has only what is needed. */
function samplesOf(model: Model): readonly ModelInput[] {
  const { negativePrompt, prompt, seed } = model;
  const options = withDefaults(model);
  const imageUrl = 'https://example.com/first.png';
  const plain: ModelInput = {
    prompt: 'p'.repeat(prompt.minLength),
    imageUrl,
    endImageUrl: null,
    promptOptimizer: null,
    options,
  };
  const chosen = [
    ...model.durationSeconds.values.map((durationSeconds) => ({ durationSeconds })),
    ...model.resolution.values.map((resolution) => ({ resolution })),
    ...(model.sound.support === 'NONE' ? [] : [{ sound: false }, { sound: true }]),
    ...(negativePrompt ? [1, negativePrompt.maxLength] : []).map((length) => ({
      negativePrompt: 'n'.repeat(length),
    })),
    ...(seed ? [{ seed: 0 }, { seed: seed.max }] : []),
  ];
  return [
    plain,
    { ...plain, prompt: 'p'.repeat(prompt.maxLength) },
    ...(model.lastImage === 'NONE' ? [] : [{ ...plain, endImageUrl: imageUrl }]),
    ...(model.promptOptimizer === 'NONE' ? [] : [true, false]).map((is) => ({
      ...plain,
      promptOptimizer: is,
    })),
    ...chosen.map((choice) => ({ ...plain, options: { ...options, ...choice } })),
  ];
}

/** The different values of each field, that of the first body first. */
function valuesIn(bodies: readonly Fields[]): ReadonlyMap<string, readonly unknown[]> {
  const sent = new Map<string, unknown[]>();
  for (const [name, value] of bodies.flatMap((body) => Object.entries(body))) {
    const values = sent.get(name) ?? [];
    if (!values.some((known) => isDeepStrictEqual(known, value))) sent.set(name, [...values, value]);
  }
  return sent;
}

/** Texts are longer than the values of a choice, and than the URL in the samples. */
const SHORTEST_LIMIT = 100;

function compareField(field: Fields, values: readonly unknown[], isAlwaysSent: boolean): readonly string[] {
  const numbers = values.filter((value) => typeof value === 'number');
  const lengths = values.filter((value) => typeof value === 'string').map(({ length }) => length);
  const isText = Math.max(...lengths) > SHORTEST_LIMIT;
  const isChoice = values.length > 1 && !isText;
  const here = {
    type: typeOf(values[0], field['type']),
    ...(isChoice && isAlwaysSent && { default: values[0] }),
    ...(isText && { minLength: Math.min(...lengths), maxLength: Math.max(...lengths) }),
    ...(numbers.length > 1 && { minimum: Math.min(...numbers), maximum: Math.max(...numbers) }),
  };
  const found = Object.entries(here)
    .filter(([key, value]) => field[key] !== undefined && !isDeepStrictEqual(field[key], value))
    .map(([key, value]) => `${key} is ${JSON.stringify(field[key])} there, ${JSON.stringify(value)} here`);
  const allowed: readonly unknown[] = Array.isArray(field['enum']) ? field['enum'] : values;
  const isOnlyHere = (value: unknown): boolean => !allowed.includes(value);
  const isOnlyThere = (value: unknown): boolean => isChoice && !values.includes(value);
  return [
    ...found,
    ...values.filter(isOnlyHere).map((value) => `the provider does not take ${JSON.stringify(value)}`),
    ...allowed.filter(isOnlyThere).map((value) => `the provider also takes ${JSON.stringify(value)}`),
  ];
}

/** The JSON type of a value, by the name that the provider uses if several fit. */
function typeOf(value: unknown, theirs: unknown): unknown {
  const types = Array.isArray(value)
    ? ['array']
    : typeof value === 'number'
      ? ['integer', 'number']
      : [typeof value];
  const isFitting = [theirs].flat().some((type) => types.includes(String(type)));
  return isFitting ? theirs : types[0];
}
