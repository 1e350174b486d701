import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A gateway to talk to. Disposing of it stops it, if it was started here. */
export interface Gateway extends AsyncDisposable {
  /** Its GraphQL endpoint. */
  readonly url: string;
}

/** Long enough for a clean stop, in ms. */
const STOP_PATIENCE_MS = 5000;

/** The gateway at `elsewhere`, or when that is empty the built one, started with a sandbox and a directory of its own. */
export async function startGateway(elsewhere: string, signal: AbortSignal): Promise<Gateway> {
  if (elsewhere !== '') return { url: endpoint(elsewhere), [Symbol.asyncDispose]: () => Promise.resolve() };

  const dataDir = await mkdtemp(join(tmpdir(), 'kineograph-demo-'));
  const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
  const child = spawn(process.execPath, [main], {
    // Nothing is inherited: a KIE_API_KEY would turn the demo into an order.
    env: { PATH: process.env['PATH'], PORT: '0', DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = async (): Promise<void> => {
    await stopChild(child);
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    return { url: endpoint(await addressOf(child, signal)), [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function endpoint(url: string): string {
  return `${url.replace(/(?:\/graphql)?\/*$/, '')}/graphql`;
}

/** Reads the log until the gateway says where it listens, and on, so that it never waits for a reader. */
async function addressOf(child: ChildProcess, signal: AbortSignal): Promise<string> {
  const { stdout } = child;
  if (stdout === null) throw new Error('the gateway has no output');
  const listening = new Promise<string>((resolve, reject) => {
    createInterface({ input: stdout }).on('line', (line) => {
      const { msg, url } = parseLog(line);
      if (msg === 'listening' && typeof url === 'string') resolve(url);
    });
    child.once('error', reject).once('exit', (code) => {
      reject(new Error(`the gateway ended with code ${code ?? 'none'} before it listened`));
    });
    signal.addEventListener('abort', () => {
      reject(new Error('stopped before the gateway listened'));
    });
  });
  return listening;
}

function parseLog(line: string): { readonly msg?: unknown; readonly url?: unknown } {
  try {
    return JSON.parse(line) as { msg?: unknown; url?: unknown };
  } catch {
    return {};
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_PATIENCE_MS);
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
  clearTimeout(timer);
}
