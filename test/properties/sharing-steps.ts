import fc from 'fast-check';
import type { GraphqlOperation } from '../kit/graphql.ts';
import { weighted } from './inputs.ts';
import type { SocketName } from './sharing-lines.ts';
import type { Ending, Who } from './two-owners.ts';

/** What several subscribers may have in common. */
export interface Form {
  readonly pieces: readonly string[];
  readonly alias: string;
  readonly shape: 'alone' | 'among others' | 'in a fragment' | 'in two parts';
}

/** What may be each one's own. */
interface Use {
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

const form: fc.Arbitrary<Form> = fc.record({
  pieces: fc.uniqueArray(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 6 }),
  alias: fc.constantFrom('', '', 'it: ', 'task: '),
  shape: fc.constantFrom('alone', 'alone', 'among others', 'in a fragment', 'in two parts'),
});

const use: fc.Arbitrary<Use> = fc.record({
  given: fc.constantFrom('variable', 'variable', 'variable', 'literal', 'default'),
  flag: fc.boolean(),
  other: fc.constantFrom(undefined, undefined, undefined, true, false, null),
  isTalkative: fc.boolean(),
});

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
    ...(body.includes('...Times') ? [TIMES] : []),
    ...(body.includes('...Ending') ? [ENDING] : []),
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

export interface Subscribe {
  readonly kind: 'subscribe';
  readonly who: Who;
  readonly socket: SocketName;
  /** Tasks, forms and subscribers are named by a number, modulo how many there are. */
  readonly form: number;
  readonly use: Use;
  readonly to: 'all' | 'own' | 'foreign' | 'unknown';
  readonly task: number;
  readonly by: 'id' | 'providerTaskId';
  readonly after: 'nothing' | 'null' | 'zero' | 'now' | 'beyond';
  /** What its id ends with. */
  readonly id: string;
  /** Whether it takes the id of one that has left, if there is one. */
  readonly isReused: boolean;
  /** Whether nothing else happens before it has begun. */
  readonly isAwaited: boolean;
  /** Whether it asks for so much that a few messages fill a socket. */
  readonly isFat: boolean;
}

export type Step =
  | Subscribe
  | { readonly kind: 'create'; readonly who: Who }
  /** Called back at the same time. */
  | {
      readonly kind: 'move';
      readonly moves: readonly { readonly task: number; readonly to: Ending }[];
      readonly isAwaited: boolean;
    }
  | { readonly kind: 'leave'; readonly which: number }
  | {
      readonly kind: 'hang up';
      readonly who: Who;
      readonly socket: SocketName;
      readonly how: 'close' | 'terminate';
    }
  | { readonly kind: 'pause' | 'resume'; readonly who: Who }
  /** A reader of much stops reading, and more happens than the buffers between two sockets take. */
  | { readonly kind: 'flood'; readonly reader: Subscribe };

export interface Story {
  readonly forms: readonly Form[];
  readonly steps: readonly Step[];
}

const number = fc.nat(19);
const who = fc.constantFrom<Who[]>('a', 'b');
const socket = fc.constantFrom<SocketName[]>('first', 'second', 'slow');
const to = fc.constantFrom<Ending[]>('queuing', 'queuing', 'generating', 'generating', 'success', 'fail');
const moves = fc.array(fc.record({ task: number, to }), { minLength: 1, maxLength: 4 });

const subscribe: fc.Arbitrary<Subscribe> = fc.record({
  kind: fc.constant('subscribe'),
  who,
  socket,
  form: number,
  use,
  to: fc.constantFrom('all', 'all', 'all', 'all', 'own', 'own', 'own', 'foreign', 'unknown'),
  task: number,
  by: fc.constantFrom('id', 'providerTaskId'),
  after: fc.constantFrom('nothing', 'nothing', 'null', 'zero', 'zero', 'now', 'now', 'beyond'),
  id: fc.constantFrom('', '', '"', '\\', '\n', '\u2028', 'é✓😀', '\ud800', '","type":"next"', "'</script>"),
  isReused: fc.boolean(),
  isAwaited: fc.boolean(),
  isFat: fc.constant(false),
});

const flood = subscribe.map((reader): Step => ({
  kind: 'flood',
  reader: { ...reader, socket: 'slow', to: 'all', after: 'zero', isAwaited: true, isFat: true },
}));

const step = weighted<Step>(
  [10, subscribe],
  [5, fc.record({ kind: fc.constant('create'), who })],
  [9, fc.record({ kind: fc.constant('move'), moves, isAwaited: fc.boolean() })],
  [3, fc.record({ kind: fc.constant('leave'), which: number })],
  [1, fc.record({ kind: fc.constant('hang up'), who, socket, how: fc.constantFrom('close', 'terminate') })],
  [2, fc.record({ kind: fc.constantFrom('pause', 'pause', 'resume'), who })],
);

const forms = fc.array(form, { minLength: 1, maxLength: 3 });
const steps = fc.array(step, { minLength: 8, maxLength: 40, size: 'max' });

/** What happens, in turn. Few forms, so that many share one. */
export const story: fc.Arbitrary<Story> = fc.record({ forms, steps });

/** The same, with a flood in the middle. */
export const floodStory: fc.Arbitrary<Story> = fc.record({
  forms,
  steps: fc.tuple(steps, flood, steps).map(([before, between, behind]) => [...before, between, ...behind]),
});
