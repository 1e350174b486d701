import type { Writable } from 'node:stream';
import { archiveKind } from '../app/open-archive.ts';
import { locationOf } from '../app/open-store.ts';
import { parseConfig } from '../config/config.ts';
import { openConnections } from '../store/open-connections.ts';
import { createTaskStore } from '../store/store.ts';
import { tasksWithLostVideos } from '../store/stored-copies.ts';
import { saved, writeTask } from '../tasks/change.ts';
import { withLostRetried } from '../tasks/copies.ts';

const PAGE = 200;

/**
 * Makes lost videos of a task due to be copied again, or of all tasks with null. Throws ConfigError for a wrong environment, and
 * an error that says what to do if there is no such task, or a gateway uses the data directory.
 */
export async function retryCopies(
  taskId: string | null,
  env: Readonly<Record<string, string | undefined>>,
  stdout: Writable,
): Promise<void> {
  const config = parseConfig(env);
  const onError = (): void => undefined;
  const connections = await openConnections(locationOf(config), { mayMigrate: config.migrate, onError });
  const audience = { publish: () => undefined, size: () => 0, restart: () => undefined };
  const store = createTaskStore(connections, { audience, onError });
  const counts = { tasks: 0, videos: 0 };
  const retry = async (id: string): Promise<void> => {
    const written = await writeTask(store, id, (task) => saved(withLostRetried(task)));
    if (!written) return;
    counts.tasks += 1;
    counts.videos += written.videos.filter(({ copy }) => copy?.state === 'PENDING').length;
  };
  try {
    if (taskId !== null) {
      if (!(await store.get(taskId))) throw new Error(`There is no task ${taskId} in the store.`);
      await retry(taskId);
    } else {
      let after = '';
      for (;;) {
        const ids = await tasksWithLostVideos(connections.reader, after, PAGE);
        for (const id of ids) await retry(id);
        after = ids.at(-1) ?? '';
        if (ids.length < PAGE) break;
      }
    }
  } finally {
    await store.close();
  }
  const { tasks, videos } = counts;
  if (videos === 0) {
    stdout.write(taskId === null ? 'No video is lost.\n' : `No video of task ${taskId} is lost.\n`);
    return;
  }
  const what = `${videos === 1 ? '1 lost video' : `${videos} lost videos`} of ${tasks === 1 ? '1 task' : `${tasks} tasks`}`;
  const next =
    config.databaseUrl === null
      ? 'The gateway copies them after its next start.'
      : 'The running gateways copy them.';
  const off =
    archiveKind(config) === 'off' ? ' ARCHIVE is off here: a gateway copies only when it is on.' : '';
  stdout.write(`Retrying ${what}. ${next}${off}\n`);
}
