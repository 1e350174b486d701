import { describe, expect, it } from 'vitest';
import { createSignedAddress } from '../../src/tasks/signed-address.ts';
import { webhookPath } from '../../src/webhooks/route.ts';

const SECRET = Buffer.alloc(32, 7);
const addressAt = (publicUrl: () => string | null, secret = SECRET) =>
  createSignedAddress(secret, publicUrl, (taskId, token) => webhookPath('kie', taskId, token));
const address = addressAt(() => 'https://gateway.example');
const foreign = addressAt(() => 'https://gateway.example', Buffer.alloc(32, 8));
const url = address.urlFor('task-1') ?? '';
const token = url.split('/').at(-1) ?? '';

describe('the callback URL of a task', () => {
  it('is the public URL with the task id and a URL-safe token, the same for the same secret', () => {
    expect(url).toMatch(/^https:\/\/gateway\.example\/webhooks\/kie\/task-1\/[\w-]{43}$/);
    const same = addressAt(() => 'https://gateway.example', Buffer.from(SECRET));
    expect(same.urlFor('task-1')).toBe(url);
  });

  it('follows the public URL, which is known only once the server listens', () => {
    let publicUrl: string | null = null;
    const early = addressAt(() => publicUrl);
    expect(early.urlFor('task-1')).toBeNull();
    publicUrl = 'http://127.0.0.1:4000';
    expect(early.urlFor('task-1')).toBe(publicUrl + new URL(url).pathname);
  });

  it('is recognised under any public URL, and for its own task and gateway only', () => {
    const moved = addressAt(() => 'https://old.example:8443/gateway').urlFor('task-1');
    for (const own of [url, String(moved)]) expect(address.matches('task-1', own)).toBe(true);
    expect(addressAt(() => null).matches('task-1', url)).toBe(true);
    expect(address.matches('task-2', url)).toBe(false);
    expect(foreign.matches('task-1', url)).toBe(false);
    for (const other of ['', 'https://gateway.example/', url.slice(0, -43), 'no address'])
      expect(address.matches('task-1', other)).toBe(false);
  });
});

describe('a callback token', () => {
  it('is valid for its task and secret only', () => {
    expect(address.isToken('task-1', token)).toBe(true);
    expect(foreign.isToken('task-1', token)).toBe(false);
    for (const other of ['task-2', 'task-1 ', 'TASK-1', 'task-10', ''])
      expect(address.isToken(other, token)).toBe(false);
  });

  it('with any single wrong character is refused', () => {
    for (let at = 0; at < token.length; at += 1) {
      const wrong = token.slice(0, at) + (token[at] === 'A' ? 'Q' : 'A') + token.slice(at + 1);
      expect(address.isToken('task-1', wrong)).toBe(false);
    }
  });

  it.each([
    ['empty', ''],
    ['too short', token.slice(0, -2)],
    ['too long', `${token}AA`],
    ['sent twice', token + token],
    ['in hexadecimal', Buffer.from(token, 'base64url').toString('hex')],
    ['no token at all', '../../%00 ü🎞'],
    ['very long', 'A'.repeat(100_000)],
  ])('that is %s is refused without an exception', (_, wrong) => {
    expect(address.isToken('task-1', wrong)).toBe(false);
  });
});
