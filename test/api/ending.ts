import {
  callbackFail,
  callbackSuccess,
  created,
  deliverCallback,
  notVisibleYet,
  sign,
  type KieCallback,
} from '../kit/kie.ts';
import { HMAC_KEY, NO_POLLING, type GatewayOptions } from '../kit/gateway.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startStandingGateway } from '../submitting/standing-gateway.ts';
import { createTask, type Fields } from './client.ts';

/** A gateway whose clock stands still, whose tasks end when the test says so, and which reads at each use how they ended. */
export async function startEnding(options: Pick<GatewayOptions, 'env' | 'log'> = {}) {
  const provider = await startFakeProvider();
  provider.always('recordInfo', notVisibleYet());
  const timings = { ...NO_POLLING, estimateEvery: 0 };
  const gateway = await startStandingGateway({ ...options, provider, overrides: { timings } });
  let count = 0;

  /** Creates a task that the provider accepts. */
  async function begin(fields: Fields = {}) {
    const name = `kie-${(count += 1)}`;
    provider.answer('createTask', created(name));
    const task = await createTask(gateway, fields);
    const callback = gateway.callbackUrl(await provider.received('createTask'));
    const end = async (body: KieCallback): Promise<number> => {
      const signed = sign(HMAC_KEY, name, Math.floor(gateway.clock.now() / 1000));
      return (await deliverCallback(callback, body, signed)).status;
    };
    return {
      ...task,
      succeed: (consumeCredits: number | null = 57) => end(callbackSuccess(name, { consumeCredits })),
      fail: (failCode: string) => end(callbackFail(name, { failCode })),
    };
  }
  return { begin, gateway, provider };
}
