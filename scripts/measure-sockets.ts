/**
 * What one process carries in sockets: memory for each idle subscriber, and how fast a task's changes reach all of them.
 * Runs the built gateway with its sandbox as a process of its own:
 *   npm run build && npx tsx scripts/measure-sockets.ts 2000
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import { CREATE, TASKS_UPDATED, input } from '../test/support/documents.ts';

const count = Number(process.argv[2] ?? 1000);
const dataDir = await mkdtemp(join(tmpdir(), 'kineograph-measure-'));
const gateway = spawn(process.execPath, ['dist/main.js'], {
  env: { PORT: '0', DATA_DIR: dataDir },
  stdio: ['ignore', 'pipe', 'inherit'],
});

/** When each change arrived at the last of the subscribers, and how many there were of each. */
const arrivals = new Map<number, { count: number; first: number; last: number }>();
let hasEnded = (): void => undefined;
const ended = new Promise<void>((resolve) => {
  hasEnded = resolve;
});

function noteChange(text: string): void {
  const { payload } = JSON.parse(text) as {
    payload?: { data?: { tasksUpdated: { revision: number; state: string } } };
  };
  if (!payload?.data) return;
  const now = performance.now();
  const { revision, state } = payload.data.tasksUpdated;
  const seen = arrivals.get(revision) ?? { count: 0, first: now, last: now };
  arrivals.set(revision, { count: seen.count + 1, first: seen.first, last: now });
  if (state === 'SUCCESS' && seen.count + 1 === count) hasEnded();
}

async function subscribe(url: string): Promise<void> {
  const socket = new WebSocket(url.replace('http', 'ws'), 'graphql-transport-ws');
  await once(socket, 'open');
  socket.send('{"type":"connection_init"}');
  await once(socket, 'message');
  socket.on('message', (data: Buffer) => {
    noteChange(data.toString());
  });
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: TASKS_UPDATED } }));
}

function residentKiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

async function listening(): Promise<string> {
  for await (const line of createInterface({ input: gateway.stdout })) {
    const { msg, url } = JSON.parse(line) as { msg: string; url?: string };
    if (msg === 'listening' && url !== undefined) return `${url}/graphql`;
  }
  throw new Error('the gateway did not start');
}

try {
  const url = await listening();
  gateway.stdout.resume();
  const pid = gateway.pid ?? 0;
  const before = residentKiB(pid);
  for (let n = 0; n < count; n += 1) await subscribe(url);
  // A question over HTTP is answered after what came before it over sockets.
  await fetch(`${url}?query={__typename}`);
  const after = residentKiB(pid);
  await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      query: CREATE,
      variables: { input: input({ prompt: '[sandbox: duration=2s]' }) },
    }),
  });
  await ended;
  const spreads = [...arrivals.values()].map(({ first, last }) => Math.round(last - first));
  console.log(`${count} subscribers: ${((after - before) / count).toFixed(1)} KiB each while idle;`);
  console.log(`from the first to the last of them, each change took ${spreads.join(', ')} ms.`);
} finally {
  gateway.kill('SIGTERM');
  await once(gateway, 'exit');
  await rm(dataDir, { recursive: true, force: true });
  process.exit();
}
