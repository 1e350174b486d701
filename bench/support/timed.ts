import type { Subject } from '../subjects/subject.ts';
import { cpuOf } from './processes.ts';
import { within } from './within.ts';

export interface Timed {
  readonly seconds: number;
  /** Cores used meanwhile. */
  readonly cores: { readonly 'server cores': number; readonly 'client cores': number };
}

/** Runs the measured part, which must end within `limitMs`. */
export async function timed(
  subject: Subject,
  limitMs: number,
  describe: () => string,
  work: () => Promise<unknown>,
): Promise<Timed> {
  const server = serverCpu(subject);
  const client = process.cpuUsage();
  const start = performance.now();
  await within(limitMs, describe, work());
  const ms = performance.now() - start;
  const { system, user } = process.cpuUsage(client);
  return {
    seconds: ms / 1000,
    cores: {
      'server cores': (serverCpu(subject) - server) / ms,
      'client cores': (system + user) / 1000 / ms,
    },
  };
}

function serverCpu({ pids }: Subject): number {
  return pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
}
