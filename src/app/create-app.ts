import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { createCleanup } from './shutdown.ts';
import { openDoors, SANDBOX_FILES_PATH, openUploads } from './open-surfaces.ts';
import { openStore } from './open-store.ts';
import { openTaskPorts, type TaskOverrides } from './open-tasks.ts';
import { openUpstream, type Upstream } from './open-provider.ts';
import { ownUrl } from '../config/loopback.ts';
import type { Config } from '../config/config.ts';
import type { SandboxOptions } from '../sandbox/sandbox.ts';
import { withoutRedaction } from '../log/log.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { watchUploads } from '../metrics/provider-metrics.ts';
import { createTasks } from '../tasks/tasks.ts';
import { VERSION } from '../version.ts';

export interface AppOptions {
  readonly log: Logger;
  /** In place of what the configuration makes. */
  readonly overrides?: TaskOverrides;
  readonly sandbox?: Partial<SandboxOptions>;
}

/** A gateway that listens. */
export interface App {
  /** Where this machine reaches it, without a trailing slash. */
  readonly url: string;
  readonly port: number;
  /** Where the provider reaches it; null when it cannot. */
  readonly publicUrl: string | null;
  readonly upstream: Pick<Upstream, 'kind' | 'url'>;
  /** Asks the provider for the balance, which warns of a key that it refuses and of too few credits; waits for nothing. */
  checkAccount(): void;
  /** What is open right now. */
  stats(): { readonly sockets: number; readonly listeners: number };
  /**
   * Stops: says so at /ready and goes on for DRAIN_DELAY_MS; then answers waiting mutations, sends clients away so that they
   * come back elsewhere, begins nothing new, and waits up to SHUTDOWN_MS for create calls under way, since cutting one
   * leaves its outcome unknown.
   */
  close(options?: {
    /** Whether DRAIN_DELAY_MS is waited for first; it is unless told otherwise. */
    readonly drains?: boolean;
  }): Promise<void>;
}

/** While the gateway stops; so those who wait for a database that is away are answered before they are cut off. */
const LAST_ANSWERS_MS = 700;

/** Starts the gateway that `config` describes. Rejects, with everything closed again, when a part cannot be opened. */
export async function startApp(config: Config, options: AppOptions): Promise<App> {
  const { log, overrides = {}, sandbox = {} } = options;
  const cleanup = createCleanup();
  const lines = withoutRedaction(log);
  const metrics = createMetrics(VERSION);
  let url = ownUrl(config.host, config.port);
  let isDraining = false;
  // The sandbox, which stands in when there is no key, runs on this machine and needs no public address.
  const publicUrl = (): string | null => config.publicUrl ?? (config.kieApiKey === null ? url : null);
  try {
    const connections = await openStore(config, { log, cleanup });
    const upstream = await openUpstream(config, {
      log,
      cleanup,
      sandbox,
      filesUrl: () => (publicUrl() ?? url) + SANDBOX_FILES_PATH,
    });
    const parts = { log, lines, metrics, cleanup, connections, upstream, publicUrl, overrides };
    const { ports, uploads } = await openTaskPorts(config, parts);
    const tasks = createTasks(ports);
    const { clock } = ports;
    const { close: closeUploads, upload } = openUploads({ log, cleanup, uploads, upstream, clock });
    const doors = await openDoors(config, {
      log,
      lines,
      metrics,
      tasks,
      ports,
      upstream,
      upload: watchUploads(metrics.registry, upload),
      publicUrl,
      isDraining: () => isDraining,
    });
    cleanup.add(() => doors.http.close());
    await doors.http.listen({ host: config.host, port: config.port });
    const { port } = doors.http.server.address() as AddressInfo;
    url = ownUrl(config.host, port);
    tasks.start();

    let closing: Promise<void> | null = null;
    const close = async (drains: boolean): Promise<void> => {
      isDraining = true;
      if (drains && config.drainDelayMs > 0)
        await new Promise<void>((resolve) => ports.clock.after(config.drainDelayMs, resolve));
      const stopped = tasks.stop(config.shutdownMs);
      connections.hurry?.(LAST_ANSWERS_MS);
      await Promise.all([doors.websockets.close(), doors.http.close(), closeUploads()]);
      if (!(await stopped)) connections.hurry?.(0);
      await cleanup.run();
    };
    return {
      url,
      port,
      publicUrl: publicUrl(),
      upstream: { kind: upstream.kind, url: upstream.url },
      checkAccount: () => void ports.provider.credits(),
      stats: () => ({ sockets: doors.websockets.size(), listeners: ports.feed.size() }),
      close: ({ drains = true } = {}) => (closing ??= close(drains)),
    };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}
