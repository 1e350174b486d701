import type { Timings } from '../../src/tasks/timings.ts';
import { compile, type Compiled } from './compiled.ts';
import type { Moment, Step } from './crash-steps.ts';
import { deferred, type Deferred } from './deferred.ts';
import { HMAC_KEY, temporaryDir } from './gateway.ts';
import { startProcess, type TestProcess } from './process.ts';

export interface Orders {
  /** null: it lives until it is killed from outside. */
  readonly dieAt: Moment | null;
  /** Does not begin before `release`; null: no step waits. */
  readonly holds: Step | null;
  readonly timings: Partial<Timings>;
}

/** A gateway in a process of its own. */
export interface MortalGateway {
  readonly url: string;
  readonly graphqlUrl: string;
  readonly pid: number;
  readonly died: Promise<unknown>;
  /** Resolves when it has come to a moment for which nobody has waited yet. */
  reaches(moment: Moment): Promise<unknown>;
  /** The next line of its log with this message. */
  logged(message: string): Promise<Readonly<Record<string, unknown>>>;
  /** Lets the step begin that it holds. */
  release(): void;
  kill(): Promise<void>;
}

/** The gateways that follow each other on one data directory, each begun when the one before is dead. */
export interface Succession {
  /** Loads a process that the next `start` uses, to save that time then. */
  load(): void;
  /** `timings` are this one's, over those of all. */
  start(orders?: Partial<Orders>): Promise<MortalGateway>;
  /** The gateway that runs, or, while there is none, the next one. */
  running(): Promise<MortalGateway>;
}

const ENTRY = 'test/support/crash-entry.ts';

/** To be done once for all gateways of a test file, and removed after all its tests. */
export function compileMortalGateway(): Promise<Compiled> {
  return compile([ENTRY, 'test/support/crash-steps.ts', 'test/support/count-waiting.ts']);
}

export async function createSuccession(options: {
  readonly program: Compiled;
  readonly providerUrl: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timings?: Partial<Timings>;
}): Promise<Succession> {
  const { env = {}, program, providerUrl, timings = {} } = options;
  const dataDir = await temporaryDir();
  const loaded: TestProcess[] = [];
  let current: Deferred<MortalGateway> = deferred('the next gateway');

  const load = (): TestProcess =>
    startProcess(process.execPath, [program.pathOf(ENTRY)], {
      PORT: '0',
      DATA_DIR: dataDir,
      KIE_API_KEY: 'test-key',
      KIE_API_URL: providerUrl,
      KIE_WEBHOOK_HMAC_KEYS: HMAC_KEY,
      // Nothing is ever sent there: the provider of the test finds the gateway by itself.
      PUBLIC_URL: 'https://gateway.example.test',
      ...env,
    });

  return {
    load: () => loaded.push(load()),
    running: () => current.promise,
    async start({ dieAt = null, holds = null, timings: own } = {}) {
      const child = loaded.shift() ?? load();
      await child.logged('loaded');
      const orders: Orders = { dieAt, holds, timings: { ...timings, ...own } };
      child.type(`${JSON.stringify(orders)}\n`);
      const url = String((await child.logged('listening'))['url']);
      const gateway: MortalGateway = {
        url,
        graphqlUrl: `${url}/graphql`,
        pid: child.pid,
        died: child.exited,
        reaches: child.logged,
        logged: child.logged,
        release: () => {
          child.type('\n');
        },
        async kill() {
          child.signal('SIGKILL');
          await child.exited;
        },
      };
      current.resolve(gateway);
      void child.exited.then(() => {
        current = deferred('the next gateway');
      });
      return gateway;
    },
  };
}
