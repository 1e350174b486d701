import type { TaskPorts } from './ports.ts';

/** A provider id that is said to be a task's, and the callback address that the provider shows with it, if any. */
export interface Claimed {
  readonly providerTaskId: string;
  readonly callbackUrl: string | null;
}

/** Whether it is certain that the id is not this task's: another task has it, or it calls back for another one. */
export async function belongsToAnother(
  { callbackAddress, store }: Pick<TaskPorts, 'callbackAddress' | 'store'>,
  taskId: string,
  { callbackUrl, providerTaskId }: Claimed,
): Promise<boolean> {
  if (callbackUrl !== null && !callbackAddress.matches(taskId, callbackUrl)) return true;
  const holder = await store.holderOf(providerTaskId);
  return holder !== null && holder !== taskId;
}

/**
 * Whether an id that nobody signed is this task's: the provider shows this task's callback address with it. Tasks without a
 * callback address get their ids from create answers alone, which need no further proof.
 */
export async function isProven(
  ports: Pick<TaskPorts, 'callbackAddress' | 'store'>,
  taskId: string,
  claimed: Claimed,
): Promise<boolean> {
  const isShown = claimed.callbackUrl !== null || ports.callbackAddress.urlFor(taskId) === null;
  return isShown && !(await belongsToAnother(ports, taskId, claimed));
}
