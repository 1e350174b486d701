import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { ownUrl } from '../config/loopback.ts';
import { createUploadImage } from '../images/upload.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { watchUploads } from '../metrics/provider-metrics.ts';
import type { SandboxOptions } from '../sandbox/sandbox.ts';
import { createTasks } from '../tasks/tasks.ts';
import { VERSION } from '../version.ts';
import { openUpstream, type Upstream } from './open-provider.ts';
import { openStore } from './open-store.ts';
import { openSurfaces, SANDBOX_FILES_PATH } from './open-surfaces.ts';
import { openTaskPorts, type TaskOverrides } from './open-tasks.ts';
import { createCleanup } from './shutdown.ts';

export interface AppOptions {
  readonly log: Logger;
  /** Replaces what the configuration makes. */
  readonly overrides?: TaskOverrides;
  readonly sandbox?: Partial<SandboxOptions>;
}

/** A gateway that listens. */
export interface App {
  /** Its URL on this machine, without a trailing slash. */
  readonly url: string;
  readonly port: number;
  /** Its URL for the provider; null when the provider cannot reach it. */
  readonly publicUrl: string | null;
  readonly upstream: Pick<Upstream, 'kind' | 'url'>;
  /** Queries the account's balance in the background, to log a rejected key or too few credits. */
  checkAccount(): void;
  /** Open sockets, and listeners of the feed. */
  stats(): { readonly sockets: number; readonly listeners: number };
  /**
   * Fails /ready for DRAIN_DELAY_MS first. Then answers waiting mutations, closes connections so that clients reconnect
   * elsewhere, and waits up to SHUTDOWN_MS for create calls: a call that is cut has an unknown outcome.
   */
  close(options?: {
    /** false skips DRAIN_DELAY_MS. */
    readonly drains?: boolean;
  }): Promise<void>;
}

/** How long writes may wait for a database in an outage during shutdown. */
const LAST_WRITES_MS = 700;

/** Starts the gateway that `config` describes. If a part fails to open, closes the others and rejects. */
export async function startApp(config: Config, options: AppOptions): Promise<App> {
  const { log, overrides = {}, sandbox = {} } = options;
  const metrics = createMetrics(VERSION);
  const cleanup = createCleanup();
  let url = ownUrl(config.host, config.port);
  let isDraining = false;
  // The sandbox runs on this machine and needs no public URL. It is used when there is no key.
  const publicUrl = (): string | null => config.publicUrl ?? (config.kieApiKey === null ? url : null);
  try {
    const { clock, connections } = await openStore(config, { log, cleanup, clock: overrides.clock });

    const baseUrl = (): string => publicUrl() ?? url;
    const filesUrl = (): string => baseUrl() + SANDBOX_FILES_PATH;
    const upstream = await openUpstream(config, { log, cleanup, sandbox, filesUrl });
    const parts = { log, metrics, cleanup, connections, upstream, publicUrl, baseUrl, overrides, clock };
    const { archive, ports, store } = await openTaskPorts(config, parts);
    const tasks = createTasks(ports);

    const now = ports.clock.now;
    const { http, websockets } = await openSurfaces(config, {
      log,
      metrics,
      cleanup,
      tasks,
      ports,
      archive,
      upstream,
      upload: watchUploads(
        metrics.registry,
        createUploadImage({ store, send: ports.provider.upload, now, log }),
      ),
      publicUrl,
      isDraining: () => isDraining,
    });
    await http.listen({ host: config.host, port: config.port });
    const { port } = http.node.address() as AddressInfo;
    url = ownUrl(config.host, port);
    tasks.start();

    const close = async (drains: boolean): Promise<void> => {
      isDraining = true;
      if (drains && config.drainDelayMs > 0)
        await new Promise<void>((resolve) => ports.clock.after(config.drainDelayMs, resolve));
      const stopped = tasks.stop(config.shutdownMs);
      connections.setResponseTimeout?.(LAST_WRITES_MS);
      await Promise.all([websockets.close(), http.close()]);
      if (!(await stopped)) connections.setResponseTimeout?.(0);
      await cleanup.run();
    };
    let closing: Promise<void> | null = null;
    return {
      url,
      port,
      publicUrl: publicUrl(),
      upstream: { kind: upstream.kind, url: upstream.url },
      checkAccount: () => void ports.provider.credits(),
      stats: () => ({ sockets: websockets.size(), listeners: ports.feed.size() }),
      close: ({ drains = true } = {}) => (closing ??= close(drains)),
    };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}
