import { once, setMaxListeners } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCallbackSender } from './callbacks.ts';
import type { Log } from './envelope.ts';
import { createSandboxServer } from './server.ts';
import { createTasks } from './tasks.ts';

/** How a sandbox behaves. Times are in milliseconds. */
export interface SandboxOptions {
  /** 0, or absent: any free port. */
  readonly port?: number;
  /** The Bearer to ask for; any that is not empty when absent. */
  readonly apiKey?: string;
  /** Signs the callbacks; '' leaves them unsigned. */
  readonly hmacKey: string;
  /** Where uploads are kept for a day; a temporary directory that `close` removes when absent. */
  readonly uploadsDir?: string;
  /** The base URL of result files, read each time a result is shown; the sandbox's own when absent. */
  readonly filesUrl?: () => string;
  /** The balance at the start. */
  readonly credits?: number;
  /** From a task's creation to its end. */
  readonly durationMs?: number;
  /** How long recordInfo does not know a new task. */
  readonly invisibleMs?: number;
  readonly createsPer10s?: number;
  readonly queriesPerS?: number;
  /** Look-ups of models in the catalogue. */
  readonly lookupsPerS?: number;
  /** A receiver's time to answer a callback. */
  readonly callbackTimeoutMs?: number;
  /** The pause before each repetition of a callback that failed. */
  readonly callbackRetryDelaysMs?: readonly number[];
  readonly log?: Log;
}

/** kie.ai's published limits where there are any. */
const DEFAULTS = {
  port: 0,
  credits: 10_000,
  durationMs: 6_000,
  invisibleMs: 1_000,
  createsPer10s: 20,
  queriesPerS: 10,
  lookupsPerS: 1,
  callbackTimeoutMs: 15_000,
  callbackRetryDelaysMs: [1_000, 2_000, 4_000],
  log: () => undefined,
} satisfies Partial<SandboxOptions>;

/** The sandbox fetches URLs for its callers, so only this machine may call it. */
const HOST = '127.0.0.1';

/** A running sandbox. */
export interface Sandbox {
  /** Its origin, to be used instead of `https://api.kie.ai`. */
  readonly url: string;
  /** Where it keeps uploads. */
  readonly uploadsDir: string;
  /** Cuts every connection and ends every wait. Callbacks that were not delivered are lost. */
  close(): Promise<void>;
}

/** Starts a stand-in for kie.ai with the same HTTP API. Resolves when it listens; rejects when the port is taken. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const settings = { ...DEFAULTS, ...options };
  const { callbackRetryDelaysMs: retryDelaysMs, callbackTimeoutMs: timeoutMs } = settings;
  const closing = new AbortController();
  const { signal } = closing;
  // Every waiting task is one listener.
  setMaxListeners(0, signal);

  let url = '';
  const filesUrl = (): string => (options.filesUrl?.() ?? `${url}/files`).replace(/\/+$/, '');
  const callbacks = createCallbackSender({ ...settings, timeoutMs, retryDelaysMs, closing: signal });
  const tasks = createTasks({ ...settings, callbacks, filesUrl, closing: signal });
  const uploadsDir = options.uploadsDir ?? (await mkdtemp(join(tmpdir(), 'kineograph-sandbox-')));
  const server = createSandboxServer({ ...settings, tasks, filesUrl, uploadsDir, closing: signal });
  server.listen({ host: HOST, port: settings.port });
  await once(server, 'listening');
  url = `http://${HOST}:${(server.address() as AddressInfo).port}`;

  return {
    url,
    uploadsDir,
    async close() {
      closing.abort();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await Promise.all([closed, callbacks.close()]);
      await tasks.idle();
      if (options.uploadsDir === undefined) await rm(uploadsDir, { recursive: true, force: true });
    },
  };
}
