import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestEnd, createQueue } from './waits.ts';
import { build } from 'esbuild';
import { mkdtemp, rm, statfs, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUNDLE } from '../../scripts/bundle.ts';
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

interface ProcessExit {
  readonly code: number | null;
  /** What killed it, if something did. */
  readonly signal: NodeJS.Signals | null;
}

/** A real process, seen from outside. It is killed at the end of the test if it still runs. */
export interface TestProcess {
  readonly pid: number;
  readonly exited: Promise<ProcessExit>;
  stdout(): string;
  stderr(): string;
  /** The oldest line of stdout that is accepted and not yet taken by this method; rejects when it ends without one. */
  line(accepts: (line: string) => boolean): Promise<string>;
  /** The same for a line of JSON whose member `msg` is this one. */
  logged(msg: string): Promise<Readonly<Record<string, unknown>>>;
  signal(name: NodeJS.Signals): void;
  /** Signals it and waits for its end. */
  end(name: NodeJS.Signals): Promise<ProcessExit>;
  /** Writes to its stdin. */
  type(text: string): void;
  endInput(): void;
}

type Environment = Readonly<Record<string, string>>;

/** The directory of the project. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The built program; `npm run test:system` builds it first. */
export const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** Starts a program, in the project's directory unless told otherwise. Of our own environment it inherits only what programs need to be found. */
export function startProcess(
  command: string,
  args: readonly string[],
  env: Environment = {},
  cwd = ROOT,
): TestProcess {
  const { HOME = '', PATH = '' } = process.env;
  const child = spawn(command, args, { cwd, env: { HOME, PATH, ...env } });
  const written = { stdout: '', stderr: '' };
  const lines = createQueue<string>(`a line of ${command} ${args.join(' ')}`);
  child.stdout.setEncoding('utf8').on('data', (text: string) => (written.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (written.stderr += text));
  createInterface({ input: child.stdout }).on('line', lines.push);
  // A program that ends before it has read its stdin is no trouble.
  child.stdin.on('error', () => undefined);

  const exited = exitOf(child);
  exited.then(
    ({ code, signal }) => {
      lines.fail(new Error(`It exited (${code ?? signal ?? '?'}):\n${written.stdout}${written.stderr}`));
    },
    (error: unknown) => {
      lines.fail(error instanceof Error ? error : new Error(String(error)));
    },
  );
  onTestEnd(async () => {
    child.kill('SIGKILL');
    await exited;
  });

  return {
    pid: child.pid ?? 0,
    exited,
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    line: lines.take,
    logged: async (msg) => parseLog(await lines.take((line) => parseLog(line)['msg'] === msg)),
    signal: (name) => child.kill(name),
    end: (name) => {
      child.kill(name);
      return exited;
    },
    type: (text) => child.stdin.write(text),
    endInput: () => child.stdin.end(),
  };
}

/** Runs the built program to its end. */
export async function runBuilt(args: readonly string[], env: Environment = {}) {
  const run = startProcess(process.execPath, [MAIN, ...args], env);
  const { code } = await run.exited;
  return { code, stdout: run.stdout(), stderr: run.stderr() };
}

export interface BuiltGateway extends TestProcess {
  readonly url: string;
  readonly graphqlUrl: string;
}

/** Starts the built gateway on a free port and waits until it says that it listens. */
export function startBuilt(env: Environment & { readonly DATA_DIR: string }): Promise<BuiltGateway> {
  return listening(startProcess(process.execPath, [MAIN], { PORT: '0', ARCHIVE: 'off', ...env }));
}

/** A gateway that was started in another way, once it says that it listens. */
export async function listening(running: TestProcess): Promise<BuiltGateway> {
  const url = String((await running.logged('listening'))['url']);
  return { ...running, url, graphqlUrl: `${url}/graphql` };
}

/** Starts the built sandbox alone on a free port and waits until it says that it listens. */
export async function startBuiltSandbox(
  env: Environment = {},
): Promise<TestProcess & { readonly url: string }> {
  const running = startProcess(process.execPath, [MAIN, 'sandbox', '--port', '0'], env);
  const line = await running.line((text) => text.includes('listens on'));
  return { ...running, url: /http:\/\/[\d.:]+\d/.exec(line)?.[0] ?? '' };
}

/** Starts the built gateway on a terminal of its own, which is closed when its input ends. Needs python3. */
export function startOnTerminal(env: Environment): TestProcess {
  const terminal = fileURLToPath(new URL('terminal.py', import.meta.url));
  return startProcess('python3', [terminal, process.execPath, MAIN], { TERM: 'xterm', ...env });
}

async function exitOf(child: ReturnType<typeof spawn>): Promise<ProcessExit> {
  // Not `exit`: by `close` all that it wrote has been read.
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal };
}

function parseLog(line: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

/**
 * Bundles a program of the tests, given by its path in the project, with sources and packages as `npm run build` does; returns
 * where it is until the end of the test.
 */
export async function bundle(program: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'kineograph-bundle-'));
  onTestEnd(() => rm(dir, { recursive: true }));
  for (const name of ['package.json', 'node_modules', 'assets'])
    await symlink(join(ROOT, name), join(dir, name));
  const outdir = join(dir, 'dist');
  await build({ ...BUNDLE, absWorkingDir: ROOT, entryPoints: { program }, outdir });
  return join(outdir, 'program.js');
}

/**
 * A port of loopback that was free just now, for programs that cannot take any and say which, or that come back on theirs.
 * Below those that Linux gives to whoever asks for any (net.ipv4.ip_local_port_range, as it usually is), so that nobody takes it
 * meanwhile; above those that browsers refuse.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(11_000, 32_000);
    const probe = createServer().listen(port, '127.0.0.1');
    try {
      await once(probe, 'listening');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      continue;
    }
    probe.close();
    await once(probe, 'close');
    return port;
  }
}

/** A file system in memory, and how much has to be free there. */
const MEMORY = '/dev/shm';
const ROOM_BYTES = 2 * 1024 ** 3;

/** Where temporary files are quick: in memory, where there is room for that. */
export async function quickTmpdir(): Promise<string> {
  try {
    const { bavail, bsize } = await statfs(MEMORY);
    return bavail * bsize > ROOM_BYTES ? MEMORY : tmpdir();
  } catch {
    return tmpdir();
  }
}
