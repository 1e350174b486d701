import { isTerminal, type VisibleRecord, type TaskRecord } from '../../src/tasks/task.ts';
import { describeRecord, describeStanding, isStoredSo, type KnownTask } from './known-tasks.ts';
import { mayFollow, type Ending } from './rules.ts';
import type { World } from './world.ts';

const OWNERS = ['ada', 'ben'];

/** What is wrong with a world at rest, in words; nothing, as the rules will have it. */
export async function judge(world: World): Promise<string[]> {
  const stored = await readAll(world);
  const wrong = world.tasks.flatMap((task) => troubleWith(task, stored.get(task) ?? null));
  const troubles = [
    ...world.troubles,
    ...wrong,
    ...troublesInHistory(world.history),
    ...(await troublesOfReaders(world, [...stored.values()])),
    ...world.readers.flatMap(({ name, seen }) => troublesInHistory(seen).map((found) => `${name}: ${found}`)),
    ...world.mutations.judge(world.tasks),
  ];
  return troubles;
}

/** What is wrong when everything has had its time: what has not come to its end, or not been seen. */
export async function judgeEnd(world: World): Promise<string[]> {
  const stored = await readAll(world);
  const unfinished = world.tasks.filter((task) => {
    const record = stored.get(task);
    return record && !isTerminal(record.state) && !record.refusal;
  });
  const unseen = world.readers.flatMap((reader) =>
    [...stored.values()]
      .filter((record) => record?.owner === reader.owner && (record.revision ?? 0) > reader.after)
      .filter((record) => reader.seen.findLast(({ id }) => id === record?.id)?.revision !== record?.revision)
      .map((record) => `${reader.name} did not see the last state of ${nameOf(world, record?.id)}`),
  );
  return [...unfinished.map(({ name }) => `${name} never ends`), ...unseen];
}

async function readAll(world: World): Promise<Map<KnownTask, TaskRecord | null>> {
  const stored = new Map<KnownTask, TaskRecord | null>();
  for (const task of world.tasks) stored.set(task, await world.process().store.get(task.id));
  return stored;
}

/** Also drops the standings that turned out not to be the true one. */
function troubleWith(task: KnownTask, record: TaskRecord | null): string[] {
  const possible = task.standings.filter((standing) => isStoredSo(standing, record));
  const expected = task.standings.map((standing) => `\n      ${describeStanding(standing)}`).join('');
  if (possible.length === 0)
    return [`${task.name} is ${describeRecord(record)}; by the rules it is${expected || ' not to be sent'}`];
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
    const isNews = !before || mayFollow(standingOf(before), standingOf(record));
    return isNews ? [] : [`revision ${revision} is ${state} after ${before.state}`];
  });
}

function standingOf({ failure, state }: VisibleRecord): Ending {
  return { state, failure: failure?.code ?? null };
}

/** Every way of reading shows exactly the visible tasks of its owner. */
async function troublesOfReaders(world: World, stored: readonly (TaskRecord | null)[]): Promise<string[]> {
  const { store, tasks } = world.process();
  const troubles: string[] = [];
  for (const owner of OWNERS) {
    const visible = stored.filter((record) => record?.owner === owner && record.revision !== null);
    const revisions = visible.map((record) => Number(record?.revision)).sort((one, other) => one - other);
    const page = await tasks.list(owner, { first: 100, after: null, states: [] });
    const listed = page.tasks.map(({ revision }) => revision).sort((one, other) => one - other);
    const changed = (await store.changesAfter(owner, 0, 100)).map(({ revision }) => revision);
    if (String(listed) !== String(revisions))
      troubles.push(`${owner}'s list shows ${listed.join()}, not ${revisions.join()}`);
    if (String(changed) !== String(revisions))
      troubles.push(`the changes of ${owner} are ${changed.join()}, not ${revisions.join()}`);
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

function nameOf(world: World, id: string | undefined): string {
  return world.tasks.find((task) => task.id === id)?.name ?? 'an unknown task';
}
