import { expect, test } from 'vitest';
import { credit, refused } from '../kit/kie.ts';
import { startFakeProvider, type Answer } from '../kit/provider.ts';
import { createClient, startClient } from './kie-client.ts';

test.each<readonly [what: string, answer: Answer, credits: number | null]>([
  ['a whole number', credit(100), 100],
  ['a fraction', credit(60.62), 60.62],
  ['zero', credit(0), 0],
  ['less than zero', credit(-3), -3],
  ['a number as a text', { body: { code: 200, msg: 'success', data: '60.62' } }, 60.62],
  ['null', { body: { code: 200, msg: 'success', data: null } }, null],
  ['an empty text', { body: { code: 200, msg: 'success', data: '' } }, null],
  ['an object', { body: { code: 200, msg: 'success', data: { credits: 5 } } }, null],
  ['more than any account has', credit(1e308), null],
  ['far less than zero', credit(-(2 ** 53)), null],
  ['true', { body: { code: 200, msg: 'success', data: true } }, null],
  ['an envelope that says 401', refused(401, 'You do not have access permissions'), null],
  ['an error with a number', { body: { code: 500, msg: 'oops', data: 100 } }, null],
  ['an HTML page', { status: 502, body: '<html></html>' }, null],
  ['a reset', { reset: true }, null],
])('a balance that comes as %s', async (_what, answer, credits) => {
  const { kie, provider } = await startClient();
  provider.answer('credit', answer);
  expect(await kie.credits()).toBe(credits);
  expect((await provider.received('credit')).headers.authorization).toBe('Bearer test-key');
});

test('no balance from a provider that cannot be reached', async () => {
  const provider = await startFakeProvider();
  await provider.close();
  expect(await createClient(provider.url).credits()).toBeNull();
});
