import { describe, expect, test } from 'vitest';
import { createTask } from '../api/client.ts';
import { staysPending } from '../kit/waits.ts';
import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { created, notVisibleYet } from '../kit/kie.ts';
import { startStandingGateway } from './standing-gateway.ts';
import { acceptedAsPrompt, promptOf, wishFor } from './wishes.ts';

/** What the gateway counts the limit over: a little more than the provider's ten seconds. */
const WINDOW = 10_500;

/** The prompts of the next create calls, in the order of the alphabet: calls of one window are made side by side. */
async function nextPrompts(provider: FakeProvider, count: number): Promise<string[]> {
  const requests = Array.from({ length: count }, () => provider.received('createTask'));
  return (await Promise.all(requests)).map(promptOf).sort();
}

describe('more tasks than the create limit', () => {
  test('become visible after CREATE_WAIT_MS and are sent in order, never more per window than the limit', async () => {
    const provider = await startFakeProvider();
    provider.always('createTask', acceptedAsPrompt);
    provider.always('recordInfo', notVisibleYet());
    const env = { KIE_CREATES_PER_10S: '3', CREATE_WAIT_MS: '5000' };
    const gateway = await startStandingGateway({ provider, env });

    const results = await wishFor(gateway, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
    const first = await Promise.all(results.slice(0, 3));
    expect(first).toMatchObject(Array(3).fill({ task: { state: 'WAITING' } }));
    await staysPending(Promise.race(results.slice(3)));

    gateway.clock.advance(5000);
    const others = await Promise.all(results.slice(3));
    expect(others).toMatchObject(Array(5).fill({ task: { state: 'SUBMITTING', providerTaskId: null } }));

    expect(await nextPrompts(provider, 3)).toEqual(['a', 'b', 'c']);
    gateway.clock.advance(WINDOW - 5000 - 10);
    const fourth = provider.received('createTask');
    await staysPending(fourth);
    gateway.clock.advance(10);
    expect([promptOf(await fourth), ...(await nextPrompts(provider, 2))].sort()).toEqual(['d', 'e', 'f']);
    await Promise.all(['d', 'e', 'f'].map((id) => gateway.written((record) => record.providerTaskId === id)));
    gateway.clock.advance(WINDOW);
    expect(await nextPrompts(provider, 2)).toEqual(['g', 'h']);
    expect(provider.requests('createTask')).toHaveLength(8);
  });

  test('share the limit with repeated calls: each takes another rate slot', async () => {
    const provider = await startFakeProvider();
    const gateway = await startStandingGateway({
      provider,
      env: { KIE_CREATES_PER_10S: '1', CREATE_WAIT_MS: '0' },
    });
    provider.answer('createTask', { status: 429, headers: { 'retry-after': '1' } }, created('a'));
    await createTask(gateway, { prompt: 'a' });
    await provider.received('createTask');
    await gateway.written((record) => record.notNowCount === 1);
    gateway.clock.advance(WINDOW - 1);
    const again = provider.received('createTask');
    await staysPending(again);
    gateway.clock.advance(1);
    expect(promptOf(await again)).toBe('a');
    await gateway.written((record) => record.state === 'WAITING');
  });
});

describe('a queued task when the gateway stops', () => {
  test('becomes visible at once and is sent by the next process within the same limit', async () => {
    const provider = await startFakeProvider();
    provider.always('createTask', acceptedAsPrompt);
    provider.always('recordInfo', notVisibleYet());
    const env = { KIE_CREATES_PER_10S: '2' };
    const first = await startStandingGateway({ provider, env });
    const results = await wishFor(first, 'a', 'b', 'c');
    expect(await nextPrompts(provider, 2)).toEqual(['a', 'b']);
    await Promise.all(results.slice(0, 2));
    await staysPending(Promise.resolve(results[2]));

    const closed = first.close();
    expect(await results[2]).toMatchObject({ task: { state: 'SUBMITTING', prompt: 'c' } });
    await closed;

    const { clock, dataDir } = first;
    await startStandingGateway({ provider, env, clock, dataDir });
    clock.advance(WINDOW - 10);
    const third = provider.received('createTask');
    await staysPending(third);
    clock.advance(10);
    expect(promptOf(await third)).toBe('c');
  });
});
