import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { headOf } from '../attacks/raw-http.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { onTestEnd, named } from '../kit/waits.ts';
import { startBuilt } from '../kit/process.ts';

const CHUNKS = 200_000;
const PATHS = ['/graphql', '/webhooks/kie/x/y', '/uploads', '/nowhere'];
/** With an object for each chunk it was 250. */
const MAX_GROWTH_MIB = 70;

/** How much memory a process has, in MiB. */
async function memoryOf(pid: number): Promise<number> {
  const [, kib] = /^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

/** Sends a body in chunks of one byte and does not end it; resolves when all of it has left. */
function sendChunks(port: number, path: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').resume();
  socket.on('error', () => undefined);
  onTestEnd(() => {
    socket.destroy();
  });
  const head = headOf(
    `POST ${path}`,
    'Host: localhost',
    'Content-Type: application/json',
    'Transfer-Encoding: chunked',
  );
  const sent = new Promise<Socket>((resolve) =>
    socket.write(head + '1\r\nx\r\n'.repeat(CHUNKS), () => {
      resolve(socket);
    }),
  );
  return named('all to be sent', sent);
}

test('bodies in chunks of one byte take little more memory than their bytes, at every path', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir(), OVERLOAD_DELAY_MS: '0' });
  const port = Number(new URL(gateway.url).port);
  const before = await memoryOf(gateway.pid);
  const sockets = await Promise.all(PATHS.map((path) => sendChunks(port, path)));
  // What was sent before this has been taken by the time that it is answered.
  const ended = sockets.map((socket) =>
    named('the end', new Promise((resolve) => socket.once('close', resolve))),
  );
  const last = headOf('GET /health', 'Host: localhost', 'Connection: close');
  for (const socket of sockets) socket.write(`1\r\nx\r\n0\r\n\r\n${last}`);
  let peak = 0;
  const look = async (): Promise<void> => {
    peak = Math.max(peak, await memoryOf(gateway.pid));
  };
  for (const end of ended) await Promise.all([end, look()]);
  await look();
  expect(peak - before).toBeLessThan(MAX_GROWTH_MIB);
  expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
});
