import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { TaskStore } from '../../../src/tasks/store.ts';
import { addTask } from '../../websocket/stored-tasks.ts';
import { startFakeProvider, type FakeProvider } from '../../kit/provider.ts';
import { temporaryDir } from '../../kit/gateway.ts';
import { created, record } from '../../kit/kie.ts';
import { openSqliteStore } from '../../kit/store.ts';
import { MAIN, listening, startProcess, type BuiltGateway, type TestProcess } from '../../kit/process.ts';
import { named } from '../../kit/waits.ts';

/** Something that a stranger or a neighbour does, and what the gateway promises all the same. */
export interface Attack {
  /** The promise: the title of its test. */
  readonly promise: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Fills the store before the gateway starts. */
  readonly seed?: (store: TaskStore) => Promise<void>;
  /** Puts a scripted provider in the place of the sandbox: it takes every task and tells of no progress. */
  readonly scripted?: true;
  /** Attacks for some seconds at most. Throws when something that only this attack can show is wrong. */
  readonly run: (target: Target) => Promise<unknown>;
  /** By how much the memory of the process may grow at its peak, in MiB; `MAX_GROWTH_MIB` unless given. */
  readonly maxGrowthMib?: number;
}

export interface Target extends Pick<BuiltGateway, 'url' | 'graphqlUrl'> {
  readonly port: number;
  /** The one that `scripted` asks for; else nothing reaches it. */
  readonly provider: FakeProvider;
}

export interface Outcome {
  /** Each broken promise; empty when all were kept. */
  readonly complaints: readonly string[];
  /** What was measured, as one line. */
  readonly figures: string;
}

/** Headers of who attacks with a key of its own, and of somebody else. */
export const NEIGHBOUR = { authorization: 'Bearer neighbour-key-1' };
export const OTHER = { authorization: 'Bearer bystander-key-1' };

const API_KEYS = 'neighbour:neighbour-key-1,bystander:bystander-key-1';
const MAX_HEAP_MIB = 384;
/** Garbage that is collected later must not count as growth: Node 24 would keep twice as much of it as Node 20 does. */
const SEMI_SPACE_MIB = 16;
/** Connections, buffers of the system and garbage that is collected later; each fault took at least twice as much. */
const MAX_GROWTH_MIB = 120;
/** The bystander may wait that long, or ten times as long as at worst before the attack: machines are busy. */
const MAX_DELAY_MS = 750;
const MAX_DELAY_RATIO = 10;
/** How many answers before the attack are what it is compared with, behind the first ones, which take longer. */
const CONTROL_ANSWERS = 60;
const WARM_UP_ANSWERS = 40;

/** Runs an attack against the built gateway, whose memory is measured, while a bystander uses it. */
export async function withstand({ env = {}, maxGrowthMib, run, scripted, seed }: Attack): Promise<Outcome> {
  const DATA_DIR = await temporaryDir();
  const store = await openSqliteStore(DATA_DIR);
  const { id } = await addTask(store, { owner: 'bystander' });
  await seed?.(store);
  await store.close();
  const provider = await startStandingProvider();
  const kie = scripted ? { KIE_API_KEY: 'any', KIE_API_URL: provider.url, PUBLIC_URL: 'http://gateway' } : {};
  const args = [`--max-old-space-size=${MAX_HEAP_MIB}`, `--max-semi-space-size=${SEMI_SPACE_MIB}`, MAIN];
  const gateway = await listening(
    startProcess(process.execPath, args, { PORT: '0', API_KEYS, DATA_DIR, ...kie, ...env }),
  );

  const bystander = startBystander(gateway.url, id);
  await bystander.answers(0, WARM_UP_ANSWERS);
  const before = await bystander.answers(Date.now(), CONTROL_ANSWERS);
  const memory = await memoryOf(gateway.pid);
  const begunAt = Date.now();
  const failure = await run({ ...gateway, port: Number(new URL(gateway.url).port), provider }).then(
    () => null,
    (error: unknown) => String(error),
  );
  // Until somebody is served again, so that a long standstill counts whole.
  const during = await bystander.answers(begunAt, 1, Date.now());

  const growth = (await memory.peak()) - memory.start;
  const allowedGrowth = maxGrowthMib ?? MAX_GROWTH_MIB;
  const worstBefore = worst(before);
  const delay = worst(during);
  const allowedDelay = Math.max(MAX_DELAY_MS, worstBefore * MAX_DELAY_RATIO);
  const trouble = during.find((answer) => answer.trouble !== '')?.trouble;
  const complaints = [
    failure,
    trouble === undefined ? null : `The bystander was not served: ${trouble}`,
    // NaN, when the process has died, is too much as well.
    growth <= allowedGrowth ? null : `Its memory grew by ${growth} MiB, more than ${allowedGrowth}`,
    delay <= allowedDelay
      ? null
      : `The bystander waited for ${delay} ms, more than ${Math.round(allowedDelay)}`,
  ];
  return {
    complaints: complaints.filter((complaint) => complaint !== null),
    figures: `memory +${growth} MiB; delay ${delay} ms, before ${worstBefore} ms; ${during.length} answers in ${Date.now() - begunAt} ms`,
  };
}

async function startStandingProvider(): Promise<FakeProvider> {
  const provider = await startFakeProvider();
  let count = 0;
  provider.always('createTask', () => created(`kie-${(count += 1)}`));
  provider.always('recordInfo', ({ query }) => record(query['taskId'] ?? ''));
  return provider;
}

interface Answer {
  readonly at: number;
  readonly ms: number;
  readonly trouble: string;
}

function startBystander(url: string, id: string) {
  const program = fileURLToPath(new URL('bystander.ts', import.meta.url));
  const [, key = ''] = OTHER.authorization.split(' ');
  const running = startProcess(process.execPath, ['--import', 'tsx', program, url, key, id]);
  return {
    /** All answers to what was asked since `since`, once there are so many to what was asked since `until`. */
    async answers(since: number, count: number, until = since): Promise<readonly Answer[]> {
      await named('answers to the bystander', answersSince(running, until, count));
      return parseAnswers(running).filter(({ at }) => at >= since);
    },
  };
}

async function answersSince(running: TestProcess, since: number, count: number): Promise<void> {
  for (let seen = 0; seen < count; seen += 1) await running.line((line) => parse(line).at >= since);
}

function parseAnswers(running: TestProcess): readonly Answer[] {
  return running.stdout().trimEnd().split('\n').map(parse);
}

function parse(line: string): Answer {
  const [at, ms, ...trouble] = line.split(' ');
  return { at: Number(at), ms: Number(ms), trouble: trouble.join(' ') };
}

function worst(answers: readonly Answer[]): number {
  return Math.max(...answers.map(({ ms }) => ms));
}

/** The memory of a process in MiB: now, and at most since now (proc(5): a 5 in clear_refs begins the peak anew). */
async function memoryOf(pid: number) {
  const field = async (name: string): Promise<number> => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    return Math.round(Number(status.split(`${name}:`)[1]?.trim().split(' ')[0]) / 1024);
  };
  await writeFile(`/proc/${pid}/clear_refs`, '5');
  return { start: await field('VmRSS'), peak: () => field('VmHWM') };
}
