import { describe, expect, it } from 'vitest';
import { startFakeProvider, type Answer } from '../kit/provider.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { credit, refused } from '../kit/kie.ts';
import { examine } from './examine.ts';
import { stopTheClock } from '../kit/clock.ts';

const KEY = 'key-of-the-tests';

async function examineWith(answer: Answer) {
  const provider = await startFakeProvider();
  provider.answer('credit', answer);
  return examine({ KIE_API_KEY: KEY, KIE_API_URL: provider.url, DATA_DIR: await temporaryDir() });
}

function dated(secondsAgo: number): Answer {
  return { ...credit(10_000), headers: { date: new Date(Date.now() - secondsAgo * 1000).toUTCString() } };
}

describe('doctor says of the provider', () => {
  it.each([
    [
      credit(10_000),
      'ok kie.ai accepts the key; 10000 credits are left, enough for 175 videos of 57 credits',
    ],
    [
      credit(60),
      'warning kie.ai accepts the key; 60 credits are left, enough for 1 video of 57 credits -> Buy',
    ],
    [refused(401, 'Invalid key'), 'failure kie.ai rejects the key in KIE_API_KEY -> Set the key'],
    [
      refused(455, `sorry, ${KEY}`),
      'failure kie.ai answers with code 455 (MAINTENANCE): sorry, [redacted] ->',
    ],
    [{ status: 403, body: '<html>' }, 'failure http'],
    [{ body: { code: 200, msg: 'ok', data: null } }, 'warning kie.ai accepts the key and does not say'],
  ])('what it answered: %j', async (answer, expected) => {
    const { of, status } = await examineWith(answer);
    expect(of('provider')).toEqual([expect.stringContaining(expected)]);
    expect(status === 'failure').toBe(expected.startsWith('failure'));
  });

  it.each([
    [10, /^ok our clock is 10 s ahead of the provider's$/],
    [-120, /^warning our clock is 12[01] s behind the provider's -> Let this machine keep time/],
    [400, /^failure our clock is 400 s ahead of the provider's: every signed callback is refused as stale/],
  ])('how far its clock is from ours: %i s', async (secondsAgo, expected) => {
    // The provider's answer tells whole seconds, and takes its time.
    stopTheClock();
    const { of } = await examineWith(dated(secondsAgo));
    expect(of('clock')).toEqual([expect.stringMatching(expected)]);
  });

  it('why it cannot be reached', async () => {
    const provider = await startFakeProvider();
    await provider.close();
    const env = { KIE_API_KEY: KEY, DATA_DIR: await temporaryDir() };
    const closed = await examine({ ...env, KIE_API_URL: provider.url });
    expect(closed.of('provider')).toEqual([expect.stringMatching(/nothing listens there \(ECONNREFUSED\)/)]);
    expect(closed.of('clock')).toEqual(['skipped the provider sent no time to compare with']);
  });
});
