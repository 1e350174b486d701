import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import ts from 'typescript';
import type { TaskStore } from '../../../src/tasks/store.ts';
import { temporaryDir } from '../../kit/gateway.ts';
import { MAIN, listening, startProcess, type BuiltGateway, type TestProcess } from '../../kit/process.ts';
import { openSqliteStore } from '../../kit/store.ts';
import { named } from '../../kit/waits.ts';
import { addTask } from '../../websocket/stored-tasks.ts';

/** Something that a stranger or a neighbour does, and what the gateway promises all the same. */
export interface Attack {
  /** The promise: the title of its test. */
  readonly promise: string;
  readonly env?: () => Promise<Readonly<Record<string, string>>>;
  /** Fills the store before the gateway starts. */
  readonly seed?: (store: TaskStore) => Promise<void>;
  /** Attacks for some seconds at most. Throws when something that only this attack can show is wrong. */
  readonly run: (target: Target) => Promise<unknown>;
  /** By how much the memory of the process may grow at its peak, in MiB; `MAX_GROWTH_MIB` unless given. */
  readonly maxGrowthMib?: number;
}

export interface Target extends Pick<BuiltGateway, 'url' | 'graphqlUrl'> {
  readonly port: number;
}

/** Who attacks with a key of its own. */
export const NEIGHBOUR = { authorization: 'Bearer neighbour-key-1' };

const API_KEYS = 'neighbour:neighbour-key-1,bystander:bystander-key-1';
const MAX_HEAP_MIB = 384;
/** Garbage that is collected later must not count as growth: Node 24 would keep twice as much of it as Node 20 does. */
const SEMI_SPACE_MIB = 16;
/** Connections, buffers of the system and garbage that is collected later; each fault took at least twice as much. */
const MAX_GROWTH_MIB = 120;
/**
 * The bystander may wait that long, or ten times as long as at worst before the attack, or as its own timers were late
 * during it: machines are busy.
 */
const MAX_DELAY_MS = 750;
const MAX_DELAY_RATIO = 10;
/** How many answers before the attack are what it is compared with, behind the first ones, which take longer. */
const CONTROL_ANSWERS = 60;
const WARM_UP_ANSWERS = 40;

/** As JavaScript, so that each start of it takes no compiler. */
const BYSTANDER = ts.transpile(readFileSync(new URL('bystander.ts', import.meta.url), 'utf8'), {
  module: ts.ModuleKind.ESNext,
  target: ts.ScriptTarget.ES2023,
});

/**
 * Runs an attack against the built gateway, whose memory is measured, while a bystander uses it. Returns each broken promise,
 * and what was measured as one line.
 */
export async function withstand({ env, maxGrowthMib = MAX_GROWTH_MIB, run, seed }: Attack) {
  const DATA_DIR = await temporaryDir();
  const store = await openSqliteStore(DATA_DIR);
  const { id } = await addTask(store, { owner: 'bystander' });
  await seed?.(store);
  await store.close();
  const args = [`--max-old-space-size=${MAX_HEAP_MIB}`, `--max-semi-space-size=${SEMI_SPACE_MIB}`, MAIN];
  const gateway = await listening(
    startProcess(process.execPath, args, { PORT: '0', API_KEYS, DATA_DIR, ...(await env?.()) }),
  );

  const bystander = startBystander(gateway.url, id);
  await bystander.answers(0, WARM_UP_ANSWERS);
  const before = await bystander.answers(Date.now(), CONTROL_ANSWERS);
  const memory = await memoryOf(gateway.pid);
  const begunAt = Date.now();
  const failure = await run({ ...gateway, port: Number(new URL(gateway.url).port) }).then(
    () => null,
    (error: unknown) => String(error),
  );
  // Until somebody is served again, so that a long standstill counts whole.
  const during = await bystander.answers(begunAt, 1, Date.now());

  const growth = (await memory.peak()) - memory.start;
  const worstBefore = worst(before);
  const delay = worst(during);
  const lateness = Math.max(...during.map((answer) => answer.lateness));
  const allowedDelay = Math.max(MAX_DELAY_MS, Math.max(worstBefore, lateness) * MAX_DELAY_RATIO);
  const trouble = during.find((answer) => answer.trouble !== '')?.trouble;
  const complaints = [
    failure,
    trouble === undefined ? null : `The bystander was not served: ${trouble}`,
    // NaN, when the process has died, is too much as well.
    growth <= maxGrowthMib ? null : `Its memory grew by ${growth} MiB, more than ${maxGrowthMib}`,
    delay <= allowedDelay
      ? null
      : `The bystander waited for ${delay} ms, more than ${Math.round(allowedDelay)}`,
  ];
  return {
    complaints: complaints.filter((complaint) => complaint !== null),
    figures: `memory +${growth} MiB; delay ${delay} ms, before ${worstBefore} ms, timers ${lateness} ms late; ${during.length} answers in ${Date.now() - begunAt} ms`,
  };
}

function startBystander(url: string, id: string) {
  const running: TestProcess = startProcess(process.execPath, [
    ...['--input-type=module', '-e', BYSTANDER],
    ...[url, 'bystander-key-1', id],
  ]);
  return {
    /** All answers to what was asked since `since`, once there are so many to what was asked since `until`. */
    async answers(since: number, count: number, until = since): Promise<readonly ReturnType<typeof parse>[]> {
      for (let seen = 0; seen < count; seen += 1)
        await named(
          'an answer to the bystander',
          running.line((line) => parse(line).at >= until),
        );
      const all = running.stdout().trimEnd().split('\n').map(parse);
      return all.filter(({ at }) => at >= since);
    },
  };
}

function parse(line: string) {
  const [at, ms, lateness, ...trouble] = line.split(' ');
  return { at: Number(at), ms: Number(ms), lateness: Number(lateness), trouble: trouble.join(' ') };
}

function worst(answers: readonly { readonly ms: number }[]): number {
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
