import type { Task } from './operations.ts';
import { createValue } from './value.ts';

/** All tasks that the page has heard of, each in the newest state that it was told of. */
export type KnownTasks = ReadonlyMap<string, Task>;

export const knownTasks = createValue<KnownTasks>(new Map());

/** The newest revision that was seen; a subscription that begins anew goes on from here. null before the first page. */
export const newestRevision = createValue<number | null>(null);

/**
 * Takes tasks from a query, a mutation or an event. Whichever of them comes first, the larger revision stays: an answer may
 * arrive after a newer event.
 */
export function takeTasks(tasks: readonly Task[]): void {
  const known = knownTasks.get();
  const newer = tasks.filter(({ id, revision }) => revision > (known.get(id)?.revision ?? -1));
  if (newer.length > 0) knownTasks.set(new Map([...known, ...newer.map((task) => [task.id, task] as const)]));
}

/** Nothing is known any more: somebody else may look now. */
export function forgetTasks(): void {
  knownTasks.set(new Map());
  newestRevision.set(null);
}
