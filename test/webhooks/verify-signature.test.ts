import { describe, expect, test } from 'vitest';
import { verifySignature, type SignatureHeaders } from '../../src/providers/kie/signature.ts';

// printf %s 'ee9c2715375b7837f8bb51d641ff5863.1769670760' |
//   openssl dgst -sha256 -hmac 'known-answer-key' -binary | base64
const KEY = 'known-answer-key';
const TASK_ID = 'ee9c2715375b7837f8bb51d641ff5863';
const SENT_AT_S = 1_769_670_760;
const HEADERS: SignatureHeaders = {
  timestamp: String(SENT_AT_S),
  signature: 'k54YjHR+LeSaIGgurjrEXpRN26Tazo/tVTs9SBCEjYk=',
};

interface Change {
  readonly keys?: readonly string[];
  readonly taskId?: string;
  readonly headers?: Partial<SignatureHeaders>;
  readonly nowS?: number;
}

/** Verifies the known answer with some part of it changed. */
function verify({ headers, keys = [KEY], nowS = SENT_AT_S, taskId = TASK_ID }: Change = {}): boolean {
  return verifySignature(keys, taskId, { ...HEADERS, ...headers }, nowS * 1000);
}

test('what openssl signs by the documented formula is right', () => {
  expect(verify()).toBe(true);
});

test('any of several keys may have signed', () => {
  expect(verify({ keys: ['older', KEY] })).toBe(true);
  expect(verify({ keys: [KEY, 'newer'] })).toBe(true);
});

test('a signature counts for 300 seconds to either side, and no longer', () => {
  expect(verify({ nowS: SENT_AT_S + 300 })).toBe(true);
  expect(verify({ nowS: SENT_AT_S - 300 })).toBe(true);
  expect(verify({ nowS: SENT_AT_S + 301 })).toBe(false);
  expect(verify({ nowS: SENT_AT_S - 301 })).toBe(false);
});

describe('a signature is wrong', () => {
  test.each<readonly [why: string, change: Change]>([
    ['with another key', { keys: ['another-key'] }],
    ['with no key at all', { keys: [] }],
    ['for another task', { taskId: 'ee9c2715375b7837f8bb51d641ff5864' }],
    ['for another time', { headers: { timestamp: String(SENT_AT_S + 1) } }],
    ['when it is missing', { headers: { signature: undefined } }],
    ['when it is empty', { headers: { signature: '' } }],
    ['when it is cut short', { headers: { signature: 'k54YjHR+LeSaIGgurjrEXpRN26Tazo' } }],
    ['when it is longer', { headers: { signature: 'AAAAk54YjHR+LeSaIGgurjrEXpRN26Tazo/tVTs9SBCEjYk=' } }],
    ['when it is no base64', { headers: { signature: '%%%' } }],
    ['without a time', { headers: { timestamp: undefined } }],
    ['with an empty time', { headers: { timestamp: '' } }],
    ['with a time in milliseconds', { headers: { timestamp: `${SENT_AT_S}000` } }],
    ['with a time that is no number', { headers: { timestamp: 'now' } }],
    ['with a time in another notation', { headers: { timestamp: '1.76967076e9' } }],
  ])('%s', (_why, change) => {
    expect(verify(change)).toBe(false);
  });
});
