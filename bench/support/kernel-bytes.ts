import { readFileSync } from 'node:fs';

/** How many bytes that these ports have sent lie in the kernel, on either side, because nobody reads them. */
export function kernelBytes(ports: readonly number[]): number {
  const [, ...rows] = readFileSync('/proc/net/tcp', 'latin1').trim().split('\n');
  return rows.reduce((sum, row) => sum + bytesOf(row, ports), 0);
}

/** Sent and not yet taken where it comes from, received and not yet read where it goes to. */
function bytesOf(row: string, ports: readonly number[]): number {
  const [, local = '', remote = '', , queues = ''] = row.trim().split(/\s+/);
  const [sent, received] = queues.split(':').map(fromHex);
  if (ports.includes(portOf(local))) return sent ?? 0;
  return ports.includes(portOf(remote)) ? (received ?? 0) : 0;
}

function portOf(address: string): number {
  return fromHex(address.split(':')[1] ?? '');
}

function fromHex(text: string): number {
  return Number.parseInt(text, 16);
}
