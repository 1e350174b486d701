import type { TaskPorts } from '../../src/tasks/ports.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway, type GatewayOptions } from '../kit/gateway.ts';
import { holdStore, type HeldStore } from './held-store.ts';

export interface HeldGateway {
  readonly gateway: Gateway;
  readonly held: HeldStore;
  /** What the gateway itself works with: its reads can be held. */
  readonly ports: TaskPorts;
  /** The same store, never held: what is written here is told to the gateway's subscribers. */
  readonly store: TaskStore;
  /** How many listeners were ever attached to the feed. */
  readonly attached: () => number;
}

/** A gateway between whose steps a test can put changes. Its provider is never asked anything. */
export async function startHeldGateway(
  options: Omit<GatewayOptions, 'overrides'> = {},
): Promise<HeldGateway> {
  let kit: Omit<HeldGateway, 'gateway'> | undefined;
  const wrap = (ports: TaskPorts): TaskPorts => {
    const counted = countAttached(ports);
    const held = holdStore(ports.store);
    const own = { ...ports, feed: counted.feed, store: held.store };
    kit = { held, ports: own, store: ports.store, attached: counted.attached };
    return own;
  };
  const provider = options.provider ?? (await startFakeProvider());
  const gateway = await startGateway({ ...options, provider, overrides: { wrap } });
  if (!kit) throw new Error('The gateway did not wrap its ports');
  return { gateway, ...kit };
}

function countAttached({ feed }: TaskPorts) {
  let count = 0;
  return {
    attached: () => count,
    feed: {
      ...feed,
      onTask: (...args: Parameters<typeof feed.onTask>) => {
        count += 1;
        return feed.onTask(...args);
      },
      onOwner: (...args: Parameters<typeof feed.onOwner>) => {
        count += 1;
        return feed.onOwner(...args);
      },
    },
  };
}
