import { sign } from '../../test/kit/kie.ts';
import { openHttp, postRequest } from '../client/http-connection.ts';
import { taskName } from '../servers/shared/task-name.ts';
import { inParallel } from '../support/in-parallel.ts';
import { callbackBody } from './callback-body.ts';
import { createTasks } from './create-tasks.ts';
import type { FakeProvider } from './fake-provider.ts';
import { BENCH_KEY, HMAC_KEY, OTHER_KEY } from './gateway-process.ts';
import { MOVES, type Move, type TaskRef } from './subject.ts';

/** Tasks of a gateway, made through its mutation. */
export interface KineographTasks {
  /** Those of the benchmark's caller, in order of number. */
  readonly tasks: readonly TaskRef[];
  /** Those of somebody else, which wait as well. */
  readonly strangers: readonly TaskRef[];
  /** Where each can be called back, by number. */
  readonly paths: ReadonlyMap<number, string>;
  /** The newest revision of the caller's tasks, and of all. */
  readonly from: number;
  readonly to: number;
}

/**
 * `count` tasks that wait, and after them tasks of somebody else which take `revisions` revisions, so that subscribers can
 * begin at different ones with nothing to catch up on; and `strangers` more, which wait.
 */
export async function makeTasks(
  port: number,
  provider: FakeProvider,
  {
    count,
    input,
    revisions,
    strangers,
  }: {
    readonly count: number;
    readonly strangers: number;
    readonly revisions: number;
    readonly input: Readonly<Record<string, string>>;
  },
): Promise<KineographTasks> {
  const paths = new Map<number, string>();
  const make = async (key: string, howMany: number): Promise<TaskRef[]> => {
    const ids = await createTasks(port, key, howMany, input);
    const taken = provider.take();
    for (const { callback, number } of taken.values()) paths.set(number, callback);
    return ids
      .map((id) => ({ id, number: taken.get(id)?.number ?? -1 }))
      .toSorted((a, b) => a.number - b.number);
  };
  provider.take();
  const tasks = await make(BENCH_KEY, count);
  const from = await newestRevision(port);
  const moved = await make(OTHER_KEY, Math.ceil(revisions / 4));
  for (const move of MOVES) await moveAll(port, moved, paths, move);
  const waiting = await make(OTHER_KEY, strangers);
  return { tasks, strangers: waiting, paths, from, to: await newestRevision(port) };
}

export function callbackRequest(path: string, number: number, move: Move, videoUrl?: string): Buffer {
  return postRequest(path, callbackBody(number, move, videoUrl), sign(HMAC_KEY, taskName(number)));
}

async function moveAll(
  port: number,
  tasks: readonly TaskRef[],
  paths: ReadonlyMap<number, string>,
  move: Move,
): Promise<void> {
  const connections = await Promise.all(Array.from({ length: 50 }, () => openHttp(port)));
  await inParallel(tasks, connections.length, async ({ number }, lane) => {
    const answer = await connections[lane]?.send(callbackRequest(paths.get(number) ?? '', number, move));
    if (answer?.status !== 200)
      throw new Error(`a callback was answered with ${answer?.status ?? 'nothing'}`);
  });
  for (const connection of connections) connection.end();
}

async function newestRevision(port: number): Promise<number> {
  const connection = await openHttp(port);
  const request = postRequest(
    '/graphql',
    { query: '{ tasks(first: 1) { revision } }' },
    { authorization: `Bearer ${BENCH_KEY}` },
  );
  const { body } = await connection.send(request);
  connection.end();
  return Number(/"revision":(\d+)/.exec(body)?.[1]);
}
