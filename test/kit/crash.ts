import type { Timings } from '../../src/tasks/timings.ts';
import type { Place } from './crash-clients.ts';
import type { Moment, Step } from './crash-steps.ts';
import { HMAC_KEY, temporaryDir } from './gateway.ts';
import { startBalancer } from './http-proxy.ts';
import { bundle, listening, startProcess, type BuiltGateway, type TestProcess } from './process.ts';
import { deferred, type Deferred } from './waits.ts';

export interface Orders {
  /** null: it lives until it is killed from outside. */
  readonly dieAt: Moment | null;
  /** Does not begin before `release`; null: no step waits. */
  readonly holds: Step | null;
  readonly timings: Partial<Timings>;
}

/** A gateway in a process of its own; it logs each moment that it comes to. */
interface MortalGateway extends BuiltGateway {
  /** Lets the step begin that it holds. */
  release(): void;
}

/**
 * The gateways that follow each other on one data directory, each begun when the one before is dead. Clients find the one that
 * runs, or wait for the next one; callbacks go through a load balancer.
 */
interface Succession extends Place {
  /** Loads a process that the next `start` uses, to save that time then. */
  load(): void;
  /** `timings` are this one's, over those of all. */
  start(orders?: Partial<Orders>): Promise<MortalGateway>;
}

/** The program of all gateways of a test file. */
export function bundleMortalGateway(): Promise<string> {
  return bundle('test/kit/crash-entry.ts');
}

export async function createSuccession(options: {
  readonly program: string;
  readonly providerUrl: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timings?: Partial<Timings>;
}): Promise<Succession> {
  const { env = {}, program, providerUrl, timings = {} } = options;
  const dataDir = await temporaryDir();
  const loaded: TestProcess[] = [];
  let current: Deferred<string> = deferred('the next gateway');
  let newest = 'http://127.0.0.1:1';
  const balancer = await startBalancer(() => newest);

  const load = (): TestProcess =>
    startProcess(process.execPath, [program], {
      PORT: '0',
      DATA_DIR: dataDir,
      KIE_API_KEY: 'test-key',
      KIE_API_URL: providerUrl,
      KIE_WEBHOOK_HMAC_KEYS: HMAC_KEY,
      PUBLIC_URL: balancer.url,
      ...env,
    });

  return {
    load: () => loaded.push(load()),
    origin: () => current.promise,
    async start({ dieAt = null, holds = null, timings: own } = {}) {
      const child = loaded.shift() ?? load();
      await child.logged('loaded');
      const orders: Orders = { dieAt, holds, timings: { ...timings, ...own } };
      child.type(`${JSON.stringify(orders)}\n`);
      const gateway = await listening(child);
      newest = gateway.url;
      current.resolve(gateway.url);
      void child.exited.then(() => {
        current = deferred('the next gateway');
      });
      return {
        ...gateway,
        release: () => {
          child.type('\n');
        },
      };
    },
  };
}
