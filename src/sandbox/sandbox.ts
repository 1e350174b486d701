import { once, setMaxListeners } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCallbackSender } from './callbacks.ts';
import { createLedger, type Ledger, loadState, saveState } from './state.ts';
import { type SandboxOptions, type SandboxSettings, withDefaults, createSandboxServer } from './server.ts';
import { createTaskRunner } from './tasks.ts';

export type { SandboxOptions } from './server.ts';

/** A running sandbox. */
export interface Sandbox {
  /** Its origin, to be used where `https://api.kie.ai` would be. */
  readonly url: string;
  /** Where it keeps what is uploaded to it. */
  readonly uploadsDir: string;
  /** Cuts every connection, ends every wait and writes the state. Callbacks not delivered wait for the next start. */
  close(): Promise<void>;
}

async function openLedger({ stateFile, credits, log }: SandboxSettings): Promise<Ledger> {
  const fresh = { credits, tasks: [] };
  if (stateFile === undefined) return createLedger(fresh, () => Promise.resolve());
  return createLedger((await loadState(stateFile, log)) ?? fresh, async (state) => {
    try {
      await saveState(stateFile, state);
    } catch (error) {
      log(`The sandbox could not write ${stateFile}; it goes on in memory`, { error });
    }
  });
}

function originOf(server: Server): string {
  const { address, port } = server.address() as AddressInfo;
  const everywhere = address === '0.0.0.0' || address === '::';
  const host = address.includes(':') ? `[${address}]` : address;
  return `http://${everywhere ? 'localhost' : host}:${port}`;
}

/**
 * Starts a stand-in for kie.ai that speaks its HTTP and costs nothing. Resolves when it listens and has taken
 * up what the state file left pending. Rejects when the port is taken or the state file cannot be read.
 */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const settings = withDefaults(options);
  const { log, hmacKey, callbackTimeoutMs: timeoutMs, callbackRetryDelaysMs: retryDelaysMs } = settings;
  const closing = new AbortController();
  // One waiting task is one listener; many of them are no leak.
  setMaxListeners(0, closing.signal);

  let url = '';
  const filesUrl = () => (options.filesUrl?.() ?? `${url}/files`).replace(/\/+$/, '');
  const ledger = await openLedger(settings);
  const callbacks = createCallbackSender({ hmacKey, timeoutMs, retryDelaysMs, closing: closing.signal, log });
  const runner = createTaskRunner({ ledger, callbacks, filesUrl, closing: closing.signal, log });
  const uploadsDir = settings.uploadsDir ?? (await mkdtemp(join(tmpdir(), 'kineograph-sandbox-')));
  const server = createSandboxServer(settings, {
    ledger,
    runner,
    filesUrl,
    uploadsDir,
    closing: closing.signal,
  });
  server.listen({ host: settings.host, port: settings.port });
  await once(server, 'listening');
  url = originOf(server);
  for (const entry of ledger.pending()) runner.follow(entry);

  return {
    url,
    uploadsDir,
    async close() {
      closing.abort();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await Promise.all([closed, callbacks.close()]);
      await runner.idle();
      await ledger.flush();
      if (settings.uploadsDir === undefined) await rm(uploadsDir, { recursive: true, force: true });
    },
  };
}
