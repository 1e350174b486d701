import fc from 'fast-check';
import type { Says } from './rules.ts';

export type Owner = 'ada' | 'ben';

/** Something that comes from outside. Numbers choose among what there is at that moment. */
export type Input =
  | { readonly do: 'mutate'; readonly owner: Owner; readonly key: 'k' | null; readonly wish: 'x' | 'y' }
  | {
      readonly do: 'answer a create';
      readonly which: number;
      readonly with: 'accepted' | 'refused' | 'not now' | 'unknown';
      readonly id: 'a' | 'b';
    }
  | { readonly do: 'call back'; readonly task: number; readonly id: 'a' | 'b'; readonly says: Says }
  | { readonly do: 'cancel'; readonly task: number }
  | { readonly do: 'hint'; readonly task: number; readonly id: 'a' | 'b' }
  | {
      readonly do: 'answer a query';
      readonly which: number;
      readonly with: Says | 'nothing';
      readonly shows: 'its address' | 'another address' | 'no address';
    };

export type Step =
  /** Begun together, then everything comes to rest. */
  | { readonly step: 'together'; readonly inputs: readonly Input[] }
  /** Begun together, and the process is killed so many turns of the event loop later; another one takes over. */
  | { readonly step: 'kill'; readonly inputs: readonly Input[]; readonly turns: number }
  /** Time passes; quietly: the provider answers queries, but only that it knows nothing. */
  | { readonly step: 'wait'; readonly seconds: number; readonly isQuiet: boolean }
  /** Somebody begins to follow all tasks of an owner, from the beginning or from now on. */
  | { readonly step: 'watch'; readonly owner: Owner; readonly isFromStart: boolean };

const owner = fc.constantFrom('ada' as const, 'ben' as const);
const id = fc.constantFrom('a' as const, 'a' as const, 'b' as const);
const which = fc.nat({ max: 5 });
const says = fc.constantFrom<Says[]>('WAITING', 'QUEUING', 'GENERATING', 'SUCCESS', 'SUCCESS', 'FAIL', 'odd');

const mutate = fc.record({
  do: fc.constant('mutate' as const),
  owner,
  key: fc.constantFrom('k' as const, 'k' as const, null),
  wish: fc.constantFrom('x' as const, 'x' as const, 'x' as const, 'y' as const),
});

const input: fc.Arbitrary<Input> = fc.oneof(
  { weight: 3, arbitrary: mutate },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('answer a create' as const),
      which,
      with: fc.constantFrom('accepted' as const, 'refused' as const, 'not now' as const, 'unknown' as const),
      id,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('call back' as const), task: which, id, says }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('hint' as const), task: which, id }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), task: which }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('answer a query' as const),
      which,
      with: fc.oneof(says, fc.constant('nothing' as const)),
      shows: fc.constantFrom('its address' as const, 'another address' as const, 'no address' as const),
    }),
  },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      step: fc.constant('together' as const),
      inputs: fc.array(input, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      step: fc.constant('kill' as const),
      inputs: fc.array(input, { maxLength: 3 }),
      turns: fc.nat({ max: 8 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Step[]>(
      { step: 'wait', seconds: 1, isQuiet: false },
      { step: 'wait', seconds: 5, isQuiet: false },
      { step: 'wait', seconds: 16, isQuiet: false },
      { step: 'wait', seconds: 35, isQuiet: false },
      { step: 'wait', seconds: 35, isQuiet: true },
      { step: 'wait', seconds: 120, isQuiet: true },
      { step: 'wait', seconds: 660, isQuiet: true },
      { step: 'wait', seconds: 1860, isQuiet: true },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record({ step: fc.constant('watch' as const), owner, isFromStart: fc.boolean() }),
  },
);

/** A life: it begins with a wish, or nothing would come of it. */
export const life: fc.Arbitrary<readonly Step[]> = fc
  .tuple(
    mutate.map((first): Step => ({ step: 'together', inputs: [first] })),
    fc.array(step, { minLength: 5, maxLength: 25, size: 'max' }),
  )
  .map(([first, others]) => [first, ...others]);
