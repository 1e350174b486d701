import { isTerminal, type VisibleRecord, type TaskRecord } from '../../src/tasks/task.ts';
import { mayFollow, shownAs, storedAs, type Ending, type KnownTask } from './rules.ts';
import type { World } from './world.ts';

/** What is wrong with a world at rest, in words; nothing, as the rules will have it. */
export async function judge(world: World): Promise<string[]> {
  const stored = await readAll(world);
  return [
    ...world.troubles,
    ...[...stored].flatMap(([task, record]) => troubleWith(task, record)),
    ...troublesInHistory(world.history),
    ...(await troublesOfReads(world, [...stored.values()])),
    ...world.readers.flatMap(({ name, seen }) => troublesInHistory(seen).map((found) => `${name}: ${found}`)),
    ...world.mutations.judge(world.tasks),
  ];
}

/** What is wrong when everything has had its time: what has not come to its end, or not been seen. */
export async function judgeEnd(world: World): Promise<string[]> {
  const stored = [...(await readAll(world))];
  const unfinished = stored.filter(([, record]) => record && !isTerminal(record.state) && !record.refusal);
  const unseen = world.readers.flatMap((reader) =>
    stored
      .filter(([, record]) => record?.owner === reader.owner && (record.revision ?? 0) > reader.after)
      .filter(
        ([, record]) => reader.seen.findLast(({ id }) => id === record?.id)?.revision !== record?.revision,
      )
      .map(([task]) => `${reader.name} did not see the last state of ${task.name}`),
  );
  return [...unfinished.map(([{ name }]) => `${name} never ends`), ...unseen];
}

async function readAll(world: World): Promise<Map<KnownTask, TaskRecord | null>> {
  const stored = new Map<KnownTask, TaskRecord | null>();
  for (const task of world.tasks) stored.set(task, await world.process().store.get(task.id));
  return stored;
}

/** Also drops the standings that turned out not to be the true one. */
function troubleWith(task: KnownTask, record: TaskRecord | null): string[] {
  const possible = task.standings.filter((standing) => shownAs(standing) === storedAs(record));
  const expected = task.standings.map(
    (standing) => `\n      ${shownAs(standing)}, submission ${standing.submission}`,
  );
  if (possible.length === 0)
    return [
      `${task.name} is ${storedAs(record)}; by the rules it is${expected.join('') || ' not to be sent'}`,
    ];
  task.standings = possible;
  if (!record) return [];
  const { completedAt, failure, providerTaskId, state, videos } = record;
  const url = videos[0]?.url ?? null;
  const isWhole =
    isTerminal(state) === (completedAt !== null) &&
    (state === 'FAIL') === (failure !== null) &&
    url === (state === 'SUCCESS' ? `https://files.example/${String(providerTaskId)}.mp4` : null);
  return isWhole ? [] : [`${task.name} is not whole: ${JSON.stringify(record)}`];
}

/** Revisions grow strictly, and each one is news: neither a repetition nor a step back nor after a true ending. */
function troublesInHistory(history: readonly VisibleRecord[]): string[] {
  const last = new Map<string, VisibleRecord>();
  return history.flatMap((record, index) => {
    const before = last.get(record.id);
    last.set(record.id, record);
    const { revision, state } = record;
    if (revision <= (history[index - 1]?.revision ?? 0)) return [`revision ${revision} comes too late`];
    const isNews = !before || mayFollow(endingOf(before), endingOf(record));
    return isNews ? [] : [`revision ${revision} is ${state} after ${before.state}`];
  });
}

function endingOf({ failure, state }: VisibleRecord): Ending {
  return { state, failure: failure?.code ?? null };
}

/** Every way of reading shows exactly the visible tasks of its owner. */
async function troublesOfReads(world: World, stored: readonly (TaskRecord | null)[]): Promise<string[]> {
  const { store, tasks } = world.process();
  const troubles: string[] = [];
  for (const owner of ['ada', 'ben']) {
    const visible = stored.filter((record) => record?.owner === owner && record.revision !== null);
    const expected = inOrder(visible.map((record) => Number(record?.revision)));
    const page = await tasks.list(owner, { first: 100, after: null, states: [] });
    const listed = inOrder(page.tasks.map(({ revision }) => revision));
    const changed = String((await store.changesAfter(owner, 0, 100)).map(({ revision }) => revision));
    if (listed !== expected) troubles.push(`${owner}'s list shows ${listed}, not ${expected}`);
    if (changed !== expected) troubles.push(`the changes of ${owner} are ${changed}, not ${expected}`);
  }
  for (const record of stored) {
    if (!record) continue;
    for (const name of [record.id, record.providerTaskId ?? record.id]) {
      const found = await tasks.find(record.owner, name);
      if ((found?.revision ?? null) !== record.revision) troubles.push(`find(${name}) shows another state`);
    }
  }
  return troubles;
}

function inOrder(revisions: readonly number[]): string {
  return String([...revisions].sort((one, other) => one - other));
}
