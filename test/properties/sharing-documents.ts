import fc from 'fast-check';
import type { GraphqlOperation } from '../kit/graphql.ts';

/** What several subscribers may have in common. */
export interface Form {
  readonly pieces: readonly string[];
  readonly alias: string;
  readonly shape: 'alone' | 'among others' | 'in a fragment' | 'in two parts';
}

/** What may be each one's own. */
export interface Use {
  /** How the arguments of the root field are given. */
  readonly given: 'variable' | 'literal' | 'default';
  readonly flag: boolean;
  /** Of a variable that has a default; null is none that it may have, and an error of each execution. */
  readonly other: boolean | null | undefined;
  /** Whether a value is sent that no variable asks for. */
  readonly isTalkative: boolean;
}

export interface Argument {
  readonly name: 'id' | 'after';
  readonly type: 'ID!' | 'SafeInt';
  readonly value: string | number | null;
}

const PIECES = [
  'id',
  'state',
  'revision',
  '__typename',
  'first: state second: state',
  'videos { url expiresAt }',
  'v: videos { link: url __typename }',
  'failure { code m: message retryable providerCode }',
  'imageUrl @include(if: $flag)',
  'imageUrl @skip(if: $flag) endImageUrl',
  '...Times',
  '...Ending @skip(if: $other)',
  '... on Task { model }',
  '... @include(if: $flag) { createdAt providerTaskId }',
  'failure @skip(if: $other) { code }',
  'creditsConsumed promptOptimizer',
  'prompt',
];

const TIMES = 'fragment Times on Task { createdAt updatedAt end: completedAt kind: __typename }';
const ENDING = 'fragment Ending on Task { state videos { ...Link } } fragment Link on Video { url }';

/** So often that a few messages are more than the buffers between two sockets take. */
const FAT = Array.from({ length: 120 }, (_, index) => `p${index}: prompt`).join(' ');

export const form: fc.Arbitrary<Form> = fc.record({
  pieces: fc.uniqueArray(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 6 }),
  alias: fc.constantFrom('', '', 'it: ', 'task: '),
  shape: fc.constantFrom('alone', 'alone', 'among others', 'in a fragment', 'in two parts'),
});

export const use: fc.Arbitrary<Use> = fc.record({
  given: fc.constantFrom('variable', 'variable', 'variable', 'literal', 'default'),
  flag: fc.boolean(),
  other: fc.constantFrom(undefined, undefined, undefined, true, false, null),
  isTalkative: fc.boolean(),
});

/** The definitions of the fragments that a selection spreads. */
export function fragmentsOf(selection: string): readonly string[] {
  return [
    ...(selection.includes('...Times') ? [TIMES] : []),
    ...(selection.includes('...Ending') ? [ENDING] : []),
  ];
}

/** The operation of one subscriber to a root field. */
export function operationOf(
  { alias, pieces, shape }: Form,
  { flag, given, isTalkative, other }: Use,
  root: { readonly field: string; readonly args: readonly Argument[]; readonly isFat: boolean },
): GraphqlOperation<unknown> {
  const shown = root.args.map(({ name, value }) => [name, JSON.stringify(value)] as const);
  const args = shown.map(([name, text]) => `${name}: ${given === 'literal' ? text : `$${name}`}`);
  const field = `${alias}${root.field}${args.length > 0 ? `(${args.join(', ')})` : ''}`;
  const selected = root.isFat ? [...pieces, FAT] : pieces;
  const selections = shape === 'in two parts' ? [selected, ['id', ...pieces.slice(0, 1)]] : [selected];
  const body = selections.map((fields) => `${field} { ${fields.join(' ')} }`).join(' ');

  const declared = [
    ...(given === 'literal' ? [] : root.args).map(
      ({ name, type, value }) =>
        `$${name}: ${type}${given === 'default' ? ` = ${JSON.stringify(value)}` : ''}`,
    ),
    ...(body.includes('$flag') ? ['$flag: Boolean!'] : []),
    ...(body.includes('$other') ? ['$other: Boolean = false'] : []),
  ];
  const head = `subscription Mine${declared.length > 0 ? `(${declared.join(', ')})` : ''}`;
  const parts = [
    shape === 'in a fragment'
      ? `${head} { ...Root } fragment Root on Subscription { ${body} }`
      : `${head} { ${body} }`,
    ...(shape === 'among others'
      ? ['subscription Other { tasksUpdated { id } } query Third { __typename }']
      : []),
    ...fragmentsOf(body),
  ];
  return {
    query: parts.join(' '),
    variables: {
      ...(given === 'variable' ? Object.fromEntries(root.args.map(({ name, value }) => [name, value])) : {}),
      ...(body.includes('$flag') ? { flag } : {}),
      ...(body.includes('$other') && other !== undefined ? { other } : {}),
      ...(isTalkative ? { unasked: 'for' } : {}),
    },
    ...(shape === 'among others' ? { operationName: 'Mine' } : {}),
  };
}
