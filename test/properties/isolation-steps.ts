import fc from 'fast-check';
import type { DoorName } from './isolation-doors.ts';
import type { Ending } from './isolation-provider.ts';

/** Which of the two owners acts. Tasks are named by a number, modulo how many there are of either owner. */
export type Who = 'a' | 'b';

export type Step = { readonly who: Who; readonly door: DoorName } & (
  | { readonly kind: 'create'; readonly key: string | null; readonly fate: 'taken' | 'refuse' | 'invalid' }
  | { readonly kind: 'task' | 'follow'; readonly task: number; readonly by: 'id' | 'providerTaskId' }
  | { readonly kind: 'tasks'; readonly task: number | null }
  | { readonly kind: 'follow all'; readonly isFromStart: boolean }
  | { readonly kind: 'callback'; readonly task: number; readonly ending: Ending; readonly isRight: boolean }
  | { readonly kind: 'account' | 'nonsense' }
);

const who = fc.constantFrom<Who>('a', 'b');
const door = fc.constantFrom<DoorName>('HTTP', 'SSE', 'WebSocket');
const task = fc.nat(9);
const base = { who, door };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      ...base,
      kind: fc.constant('create' as const),
      key: fc.constantFrom('one', 'two', null),
      fate: fc.constantFrom('taken', 'taken', 'taken', 'refuse', 'invalid'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      ...base,
      kind: fc.constantFrom('task', 'follow'),
      task,
      by: fc.constantFrom('id', 'providerTaskId'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ ...base, kind: fc.constant('tasks' as const), task: fc.option(task) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ ...base, kind: fc.constant('follow all' as const), isFromStart: fc.boolean() }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      ...base,
      kind: fc.constant('callback' as const),
      task,
      ending: fc.constantFrom('queuing', 'success', 'fail'),
      isRight: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ ...base, kind: fc.constantFrom('account', 'nonsense') }) },
);

/** What the two do, in turn. */
export const story = fc.array(step, { minLength: 4, maxLength: 16 });
