import { parse } from 'graphql';
import { expect, test } from 'vitest';
import { sharedVariables } from '../../src/websocket/group.ts';

test.each([
  ['of arguments of the root field alone', 'subscription ($id: ID!) { taskUpdated(id: $id) { id } }', []],
  [
    'inside an argument of the root field',
    'subscription ($a: Int, $b: Int) { f(in: { a: $a, b: [$b] }) { id } }',
    [],
  ],
  ['with an alias on the root field', 'subscription ($id: ID!) { t: taskUpdated(id: $id) { id } }', []],
  ['of a nested field', 'subscription ($id: ID!, $n: Int) { f(id: $id) { g(n: $n) } }', ['n']],
  ['of both', 'subscription ($n: Int) { f(id: $n) { g(n: $n) } }', ['n']],
  ['of a directive on a nested field', 'subscription ($if: Boolean!) { f { g @skip(if: $if) } }', ['if']],
  [
    'of a directive on the root field',
    'subscription ($if: Boolean!) { f(id: 1) @include(if: $if) { g } }',
    ['if'],
  ],
  [
    'of a nested field in a fragment',
    'subscription ($n: Int) { f { ...F } } fragment F on T { g(n: $n) }',
    ['n'],
  ],
  [
    'of a root field in a fragment, which might be nested elsewhere',
    'subscription ($id: ID!) { ...F } fragment F on Subscription { f(id: $id) { g } }',
    ['id'],
  ],
  ['that nobody uses', 'subscription ($n: Int = 3) { f { g } }', []],
])('a variable %s', (_, document, names) => {
  expect(sharedVariables(parse(document))).toEqual(names);
});
