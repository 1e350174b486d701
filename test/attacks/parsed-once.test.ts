import { parse } from 'graphql';
import { expect, test } from 'vitest';
import { parsedOnce } from '../../src/server/parsed-once.ts';

test('what was parsed is kept for operations of a usual length only, errors likewise', () => {
  const { documentCache, errorCache } = parsedOnce();
  const short = '{ __typename }';
  const long = `${short} #${'x'.repeat(200_000)}`;
  const document = parse(short);
  for (const source of [short, long]) {
    documentCache.set(source, document);
    errorCache.set(source, new Error('no'));
  }
  expect([documentCache.get(short), errorCache.get(short)]).toEqual([document, new Error('no')]);
  expect([documentCache.get(long), errorCache.get(long)]).toEqual([undefined, undefined]);
});
