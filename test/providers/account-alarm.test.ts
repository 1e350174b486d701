import { expect, test } from 'vitest';
import { credit, refused } from '../kit/kie.ts';
import { INPUT, startClient } from './kie-client.ts';

/** A client, and what it warned of and counted. */
async function startHeard() {
  const warned: object[] = [];
  const counted: string[] = [];
  const silent = (): void => undefined;
  const log = { debug: silent, info: silent, error: silent, warn: (fields: object) => warned.push(fields) };
  const client = await startClient({ log, onAccountRefusal: (code) => counted.push(code) });
  return { ...client, warned, counted };
}

test.each([
  [401, 'UNAUTHORIZED'],
  [402, 'INSUFFICIENT_CREDITS'],
  [433, 'QUOTA_EXCEEDED'],
])(
  'a call that is refused with %i is counted each time, and warned of once in a while',
  async (code, name) => {
    const { counted, kie, provider, warned } = await startHeard();
    provider.answer('credit', refused(code, 'no'));
    provider.answer('createTask', refused(code, 'no'), refused(code, 'no'));
    provider.answer('recordInfo', refused(code, 'no'));
    expect(await kie.credits()).toBe(null);
    await kie.createTask(INPUT, null);
    await kie.createTask(INPUT, null);
    await kie.queryTask('kie-1');
    expect(counted).toEqual([name, name, name, name]);
    expect(warned).toMatchObject([{ code: name, providerCode: code }]);
  },
);

test('a balance that does not pay a video is warned of, and is no refusal', async () => {
  const { counted, kie, provider, warned } = await startHeard();
  provider.answer('credit', credit(57), credit(56));
  await kie.credits();
  expect(warned).toEqual([]);
  await kie.credits();
  expect(warned).toMatchObject([{ code: 'INSUFFICIENT_CREDITS', credits: 56 }]);
  expect(counted).toEqual([]);
});

test('what is wrong with a task alone is no alarm', async () => {
  const { counted, kie, provider, warned } = await startHeard();
  provider.answer('createTask', refused(422, 'too long'));
  await kie.createTask(INPUT, null);
  expect([...counted, ...warned]).toEqual([]);
});
