// From an image to a video in front of your eyes, against the sandbox: nothing is charged. `npm run demo` builds and runs
// it. With KINEOGRAPH_URL set, the gateway at that address is used instead, and whatever it charges is charged.
import { setTimeout as delay } from 'node:timers/promises';
import { createTask, watchTask } from './demo/client.ts';
import { EXAMPLE } from './demo/example.ts';
import { startGateway } from './demo/gateway.ts';
import { playVideo } from './demo/play-video.ts';

/** The sandbox takes 6 s; a real video takes minutes. */
const PATIENCE_MS = { own: 20_000, elsewhere: 15 * 60_000 };

const startedAt = performance.now();
const elsewhere = process.env['KINEOGRAPH_URL'] ?? '';
const stopping = new AbortController();

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    process.exitCode = signal === 'SIGINT' ? 130 : 143;
    stopping.abort(new Error('stopped'));
  });
}
const patience = elsewhere === '' ? PATIENCE_MS.own : PATIENCE_MS.elsewhere;
void delay(patience, undefined, { ref: false }).then(() => {
  stopping.abort(new Error(`no video after ${patience / 1000} s`));
});

try {
  await demo(stopping.signal);
  say('done');
} catch (error) {
  process.exitCode ??= 1;
  const reason: unknown = stopping.signal.aborted ? stopping.signal.reason : error;
  console.error(`\nThe demo failed: ${explain(reason)}`);
}

async function demo(signal: AbortSignal): Promise<void> {
  await using gateway = await startGateway(elsewhere, signal);
  say(`gateway      ${gateway.url}`);

  const id = await createTask(gateway.url, EXAMPLE, signal);
  say(`created      task ${id}`);

  const urls = await watchTask(gateway.url, id, signal, ({ state, creditsConsumed }) => {
    say(`${state.padEnd(12)} ${creditsConsumed === null ? '' : `${creditsConsumed} credits`}`.trimEnd());
  });
  for (const url of urls) {
    say(`video        ${url}`);
    say(`plays        ${await playVideo(url, signal)}`);
  }
}

function say(text: string): void {
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(`${seconds.toFixed(1).padStart(5)} s  ${text}`);
}

function explain(error: unknown): string {
  if (error instanceof Error)
    return error.cause ? `${error.message}: ${explain(error.cause)}` : error.message;
  // What graphql-ws throws when a socket ends is the event itself.
  if (typeof error === 'object' && error !== null && 'code' in error && 'reason' in error) {
    return `the socket was closed with ${String(error.code)} ${String(error.reason)}`;
  }
  return String(error);
}
