import { openConnections, type StoreLocation } from '../../src/store/open-connections.ts';
import { createTaskStore, type TaskStoreOptions } from '../../src/store/store.ts';
import type { UploadStore } from '../../src/images/upload.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { recordFailure } from './leftovers.ts';

/** A real store as a process opens it; whoever opened it closes it. `publish` is told every change. */
export async function openTaskStore(
  location: StoreLocation,
  publish: (changes: readonly VisibleRecord[]) => void = () => undefined,
  options: Partial<TaskStoreOptions> = {},
): Promise<TaskStore & UploadStore> {
  const { onError = report } = options;
  const connections = await openConnections(location, { mayMigrate: true, onError });
  return createTaskStore(connections, {
    audience: { publish, size: () => 1, restart: () => undefined },
    ...options,
    onError,
  });
}

/** The embedded store in a directory. */
export function openSqliteStore(
  dataDir: string,
  publish?: (changes: readonly VisibleRecord[]) => void,
): Promise<TaskStore & UploadStore> {
  return openTaskStore({ kind: 'sqlite', dataDir }, publish);
}

function report(error: unknown): void {
  recordFailure(`The store met an error: ${String(error)}`);
}
