import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createCallbackAddress } from '../../src/tasks/callback-address.ts';

const SECRET = Buffer.alloc(32, 7);
const PUBLIC_URL = 'https://gateway.example';
const address = createCallbackAddress(SECRET, () => PUBLIC_URL);

function urlOf(taskId: string, from = address): string {
  const url = from.urlFor(taskId);
  if (url === null) throw new Error('there is no public address');
  return url;
}

function tokenOf(taskId: string, from = address): string {
  return urlOf(taskId, from).split('/').at(-1) ?? '';
}

describe('the callback URL of a task', () => {
  it('starts with the public URL and contains the task id and a URL-safe token', () => {
    expect(urlOf('task-1')).toMatch(/^https:\/\/gateway\.example\/webhooks\/kie\/task-1\/[\w-]{43}$/);
  });

  it('is the same for the same task and secret, also after a restart', () => {
    expect(
      urlOf(
        'task-1',
        createCallbackAddress(Buffer.from(SECRET), () => PUBLIC_URL),
      ),
    ).toBe(urlOf('task-1'));
  });

  it('is null without a public URL', () => {
    expect(createCallbackAddress(SECRET, () => null).urlFor('task-1')).toBeNull();
  });

  it('follows the public URL, which is known only once the server listens', () => {
    let publicUrl: string | null = null;
    const early = createCallbackAddress(SECRET, () => publicUrl);
    expect(early.urlFor('task-1')).toBeNull();
    publicUrl = 'http://127.0.0.1:4000';
    expect(early.urlFor('task-1')).toBe(`http://127.0.0.1:4000${new URL(urlOf('task-1')).pathname}`);
  });
});

describe('a callback token', () => {
  it('is valid for its task', () => {
    expect(address.isToken('task-1', tokenOf('task-1'))).toBe(true);
  });

  it('is invalid for another task', () => {
    for (const other of ['task-2', 'task-1 ', 'TASK-1', 'task-10', '']) {
      expect(tokenOf(other)).not.toBe(tokenOf('task-1'));
      expect(address.isToken(other, tokenOf('task-1'))).toBe(false);
    }
  });

  it('is invalid with another secret', () => {
    const other = createCallbackAddress(randomBytes(32), () => PUBLIC_URL);
    expect(other.isToken('task-1', tokenOf('task-1'))).toBe(false);
  });

  it('with any single wrong character is refused', () => {
    const token = tokenOf('task-1');
    for (let at = 0; at < token.length; at += 1) {
      const wrong = token.slice(0, at) + (token[at] === 'A' ? 'Q' : 'A') + token.slice(at + 1);
      expect(address.isToken('task-1', wrong)).toBe(false);
    }
  });

  it.each([
    ['empty', () => ''],
    ['too short', (token: string) => token.slice(0, -2)],
    ['too long', (token: string) => `${token}AA`],
    ['sent twice', (token: string) => token + token],
    ['in hexadecimal', (token: string) => Buffer.from(token, 'base64url').toString('hex')],
    ['no token at all', () => '../../%00 ü🎞'],
    ['very long', () => 'A'.repeat(100_000)],
  ])('that is %s is refused without an exception', (_, change) => {
    expect(address.isToken('task-1', change(tokenOf('task-1')))).toBe(false);
  });
});

describe('a callback URL that the provider reports', () => {
  it('is recognised with another public URL', () => {
    const before = createCallbackAddress(SECRET, () => 'https://old.example:8443/gateway');
    expect(address.matches('task-1', urlOf('task-1'))).toBe(true);
    expect(address.matches('task-1', urlOf('task-1', before))).toBe(true);
  });

  it('is recognised by a gateway without a public URL', () => {
    expect(createCallbackAddress(SECRET, () => null).matches('task-1', urlOf('task-1'))).toBe(true);
  });

  it('does not match another task or another gateway', () => {
    const foreign = createCallbackAddress(randomBytes(32), () => PUBLIC_URL);
    expect(address.matches('task-2', urlOf('task-1'))).toBe(false);
    expect(address.matches('task-1', urlOf('task-1', foreign))).toBe(false);
  });

  it.each(['', 'https://gateway.example/', 'https://gateway.example/webhooks/kie/task-1/', 'no address'])(
    'is not recognised without the token: %j',
    (url) => {
      expect(address.matches('task-1', url)).toBe(false);
    },
  );
});
