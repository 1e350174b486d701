import { setTimeout as delay } from 'node:timers/promises';
import type { Subject } from '../subjects/subject.ts';
import { residentKiB } from './processes.ts';

const LOOKS = 40;
const EVERY_MS = 250;
const STILL = 6;

/** Resident memory in KiB once it has moved by less than 1 % for a while. Nobody's garbage is collected by force. */
export async function settledMemory(subject: Subject): Promise<number> {
  const now = (): number => subject.pids.reduce((sum, pid) => sum + residentKiB(pid), 0);
  let base = now();
  let still = 0;
  for (let look = 0; look < LOOKS && still < STILL; look += 1) {
    await delay(EVERY_MS);
    const next = now();
    still = Math.abs(next - base) < base / 100 ? still + 1 : 0;
    if (still === 0) base = next;
  }
  return now();
}
