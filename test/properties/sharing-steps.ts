import fc from 'fast-check';
import type { Ending } from './isolation-provider.ts';
import { form, use, type Form, type Use } from './sharing-documents.ts';

export type Who = 'a' | 'b';

/** Each owner has two sockets that are always read, and one that is not always read. */
export type SocketName = 'first' | 'second' | 'slow';

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

const who = fc.constantFrom<Who>('a', 'b');
const number = fc.nat(19);
const move = fc.record({
  task: number,
  to: fc.constantFrom<Ending[]>('queuing', 'queuing', 'generating', 'generating', 'success', 'fail'),
});

const subscribe: fc.Arbitrary<Subscribe> = fc.record({
  kind: fc.constant('subscribe' as const),
  who,
  socket: fc.constantFrom('first', 'second', 'slow'),
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

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: subscribe },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('create' as const), who }) },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('move' as const),
      moves: fc.array(move, { minLength: 1, maxLength: 4 }),
      isAwaited: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('leave' as const), which: number }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('hang up' as const),
      who,
      socket: fc.constantFrom('first', 'second', 'slow'),
      how: fc.constantFrom('close', 'terminate'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('pause', 'pause', 'resume'), who }) },
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
