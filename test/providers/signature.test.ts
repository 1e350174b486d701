import { expect, test } from 'vitest';
import { verifySignature } from '../../src/providers/kie/signature.ts';
import type { Signature } from '../../src/tasks/provider.ts';

// printf %s 'ee9c2715375b7837f8bb51d641ff5863.1769670760' |
//   openssl dgst -sha256 -hmac 'known-answer-key' -binary | base64
const KEY = 'known-answer-key';
const TASK_ID = 'ee9c2715375b7837f8bb51d641ff5863';
const AT = 1_769_670_760;
const KNOWN = {
  'x-webhook-timestamp': String(AT),
  'x-webhook-signature': 'k54YjHR+LeSaIGgurjrEXpRN26Tazo/tVTs9SBCEjYk=',
};

interface Change {
  readonly timestamp?: string;
  readonly signature?: string;
  readonly keys?: readonly string[];
  readonly nowS?: number;
}

test.each<readonly [what: string, isSigned: Signature, change: Change]>([
  ['what openssl signs by the documented formula', 'right', {}],
  ['the second of two keys', 'right', { keys: ['older', KEY] }],
  ['the first of two keys', 'right', { keys: [KEY, 'newer'] }],
  ['300 s ago', 'right', { nowS: AT + 300 }],
  ['300 s ahead', 'right', { nowS: AT - 300 }],
  ['301 s ago', 'wrong', { nowS: AT + 301 }],
  ['301 s ahead', 'wrong', { nowS: AT - 301 }],
  ['no key at all', 'unknown', { keys: [] }],
  ['another time', 'wrong', { timestamp: String(AT + 1) }],
  ['a signature that is cut short', 'wrong', { signature: 'k54YjHR+LeSaIGgurjrEXpRN26Tazo' }],
  ['a longer signature', 'wrong', { signature: `AAAA${KNOWN['x-webhook-signature']}` }],
  ['a signature that is no base64', 'wrong', { signature: '%%%' }],
  ['an empty time', 'wrong', { timestamp: '' }],
  ['a time in milliseconds', 'wrong', { timestamp: `${AT}000` }],
  ['a time that is no number', 'wrong', { timestamp: 'now' }],
  ['a time in another notation', 'wrong', { timestamp: '1.76967076e9' }],
])('the signature with %s is %s', (_, expected, { keys = [KEY], nowS = AT, signature, timestamp }) => {
  const headers: Readonly<Record<string, string>> = {
    ...KNOWN,
    ...(timestamp !== undefined && { 'x-webhook-timestamp': timestamp }),
    ...(signature !== undefined && { 'x-webhook-signature': signature }),
  };
  expect(verifySignature(keys, TASK_ID, (name) => headers[name], nowS * 1000)).toBe(expected);
});

test.each(Object.keys(KNOWN))('a signature without the header %s is wrong', (missing) => {
  const headers: Readonly<Record<string, string>> = KNOWN;
  const headerOf = (name: string) => (name === missing ? undefined : headers[name]);
  expect(verifySignature([KEY], TASK_ID, headerOf, AT * 1000)).toBe('wrong');
});
