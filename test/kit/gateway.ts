import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type App, type AppOptions, startApp } from '../../src/app/create-app.ts';
import { parseConfig } from '../../src/config/config.ts';
import { createLog } from '../../src/log/log.ts';
import { migrateStore } from '../../src/store/open-connections.ts';
import { STORE_FILE } from '../../src/store/sqlite/open.ts';
import { DEFAULT_TIMINGS, type Timings } from '../../src/tasks/timings.ts';
import type { FakeProvider, ProviderRequest } from './provider.ts';
import { createBody } from './kie.ts';
import { onTestEnd, named } from './waits.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { quickTmpdir, startBuilt, type BuiltGateway } from './process.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

export interface GatewayOptions {
  /** Whom it asks; without one it runs its own sandbox. */
  readonly provider?: FakeProvider;
  /** Environment variables beside those that the kit sets. */
  readonly env?: Readonly<Record<string, string>>;
  readonly overrides?: AppOptions['overrides'];
  readonly sandbox?: AppOptions['sandbox'];
  /** In place of one that is silent. */
  readonly log?: AppOptions['log'];
  /** A directory of the test's own, for a gateway that is started again on the same data. */
  readonly dataDir?: string;
}

export interface Gateway {
  readonly app: App;
  readonly url: string;
  readonly graphqlUrl: string;
  readonly dataDir: string;
  /** Where a create call asked to be called back, at the gateway's own address. */
  callbackUrl(create: ProviderRequest): string;
  close(): Promise<void>;
}

/** The key with which callbacks to a test's gateway are signed. */
export const HMAC_KEY = 'hmac-key-of-the-tests';

/** What a gateway tells the provider to be its address; nothing is ever sent there. */
const PUBLIC_URL = 'https://gateway.example.test';

/** One for all gateways: a log that writes to standard output holds it open, and has a timer, for as long as the process lives. */
const SILENT = createLog({ level: 'silent', pretty: false }, { write: () => undefined });

/** Nobody is asked about a task by the way: only what brings a check forward makes the gateway ask. */
export const NO_POLLING: Partial<Timings> = {
  checkIntervalMin: DEFAULT_TIMINGS.taskDeadline,
  checkIntervalMax: DEFAULT_TIMINGS.taskDeadline,
};

/**
 * A whole gateway on a port of its own, closed at the end of the test. Unless the test says otherwise its data is in memory,
 * where there is room; a fake provider is not polled; and how busy this process is, clients and all, puts nobody off.
 */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const { provider, sandbox } = options;
  const timings = { ...(provider && NO_POLLING), ...options.overrides?.timings };
  const hasOwnStore = options.env?.['DATABASE_URL'] === undefined;
  const dataDir = options.dataDir ?? (await (hasOwnStore ? migratedDir() : quickDir()));
  const config = parseConfig({
    PORT: '0',
    DATA_DIR: dataDir,
    LOG_LEVEL: 'silent',
    // What a fake provider calls a video is none.
    ARCHIVE: 'off',
    ...(provider && { KIE_API_KEY: 'test-key', KIE_API_URL: provider.url, PUBLIC_URL }),
    KIE_WEBHOOK_HMAC_KEYS: HMAC_KEY,
    OVERLOAD_DELAY_MS: '0',
    ...options.env,
  });
  const app = await startApp(config, {
    log: options.log ?? SILENT,
    overrides: { ...options.overrides, timings },
    ...(sandbox && { sandbox }),
  });
  onTestEnd(() => app.close());
  return {
    app,
    url: app.url,
    graphqlUrl: `${app.url}/graphql`,
    dataDir,
    callbackUrl: (create) => app.url + new URL(String(createBody(create).callBackUrl)).pathname,
    close: () => app.close(),
  };
}

/** A directory that is deleted at the end of the test. */
export async function temporaryDir(parent = tmpdir()): Promise<string> {
  const dir = await mkdtemp(join(parent, 'kineograph-test-'));
  onTestEnd(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** The same in memory, where there is room for that: a disk's speed is no part of what most tests are about. */
export async function quickDir(): Promise<string> {
  return temporaryDir(await quickTmpdir());
}

let migrated: Promise<Buffer> | null = null;

/** The same, with an empty store in it: to migrate one takes longer than to start the rest of a gateway. */
async function migratedDir(): Promise<string> {
  migrated ??= emptyStore();
  const [dir, bytes] = await Promise.all([quickDir(), migrated]);
  await writeFile(join(dir, STORE_FILE), bytes, { mode: 0o600 });
  return dir;
}

async function emptyStore(): Promise<Buffer> {
  const dataDir = await quickDir();
  await migrateStore({ kind: 'sqlite', dataDir });
  return readFile(join(dataDir, STORE_FILE));
}

/** A gateway as one of several on a PostgreSQL database, which it reaches through a network of its own. */
export interface Replica extends BuiltGateway {
  readonly name: string;
  readonly network: TcpProxy;
}

interface ReplicaOptions {
  readonly databaseUrl: string;
  readonly env: Readonly<Record<string, string>>;
}

/** `name` becomes its key for the provider, by which that can tell who asks. */
export async function startReplica(name: string, { databaseUrl, env }: ReplicaOptions): Promise<Replica> {
  const url = new URL(databaseUrl);
  const network = await startTcpProxy(Number(url.port));
  url.host = `127.0.0.1:${network.port}`;
  const gateway = await startBuilt({
    DATABASE_URL: url.href,
    DATA_DIR: await quickDir(),
    KIE_API_KEY: name,
    ...env,
  });
  return { ...gateway, name, network };
}

/** Fulfilled with the answer of /ready once its status is this one. */
export function readiness({ name, url }: Replica, status: 200 | 503): Promise<Response> {
  return named(`${name} answering ${status} at /ready`, ask());

  async function ask(): Promise<Response> {
    for (;;) {
      const response = await fetch(`${url}/ready`);
      if (response.status === status) return response;
      await delay(100);
    }
  }
}
