import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { within } from './within.ts';

/** The directory of the project. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Servers run on one core, everything else on another, where the machine has two and can say so. */
export const SERVER_CORE = '0';
export const CLIENT_CORE = '1';
export const isPinned = spawnSync('taskset', ['-cp', CLIENT_CORE, String(process.pid)]).status === 0;

const running = new Set<ChildProcess>();

export interface Child {
  readonly process: ChildProcess;
  readonly pid: number;
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts Node with a script in the project's directory. It is killed at the end, whatever happens. */
export function startNode(
  args: readonly string[],
  options: {
    readonly env?: Readonly<Record<string, string>>;
    readonly core?: string;
    /** Where its output goes; ours when not given. */
    readonly output?: number;
    /** Whether it speaks to us over a channel of Node's; what users run does not. */
    readonly speaks?: boolean;
  } = {},
): Child {
  const { core = SERVER_CORE, env = {}, output = 'inherit', speaks = true } = options;
  const pin = isPinned ? ['taskset', '-c', core] : [];
  const [command = process.execPath, ...rest] = [...pin, process.execPath, ...args];
  const { HOME = '', PATH = '' } = process.env;
  const child = spawn(command, rest, {
    cwd: ROOT,
    env: { HOME, PATH, NODE_ENV: 'production', ...env },
    stdio: speaks ? ['ignore', output, output, 'ipc'] : ['ignore', output, output],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return {
    process: child,
    // taskset becomes the program that it starts.
    pid: child.pid ?? 0,
    async kill(signal = 'SIGKILL') {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill(signal);
      await within(90_000, () => `the end of process ${child.pid ?? '?'}`, exited);
    },
  };
}

/** The port that one of our servers says it listens on. */
export async function portOf(child: Child, what: string): Promise<number> {
  const failed = once(child.process, 'exit').then(() => {
    throw new Error(`${what} ended before it listened`);
  });
  const told = once(child.process, 'message') as Promise<[{ readonly port: number }]>;
  const [{ port }] = await within(30_000, () => `${what} to listen`, Promise.race([told, failed]));
  failed.catch(() => undefined);
  return port;
}

export function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** A process that ended but is not yet reaped counts as ended. */
export function isAlive(pid: number): boolean {
  return [...running].some((child) => child.pid === pid);
}

/** What a process has used of a core so far, in ms. */
export function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** What a process has in memory, in KiB. */
export function residentKiB(pid: number): number {
  return statusOf(pid, 'VmRSS');
}

/** The most that it ever had. */
export function peakKiB(pid: number): number {
  return statusOf(pid, 'VmHWM');
}

function statusOf(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
}
