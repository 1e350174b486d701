import { useEffect, useState } from 'react';
import { ask } from '../api/client.ts';
import { connection } from '../api/connection.ts';
import { knownTasks, takeTasks } from '../api/known-tasks.ts';
import { TaskQuery, type Task } from '../api/operations.ts';
import { useValue } from '../api/value.ts';

export interface ShownTask {
  /** null while it is not known. */
  readonly task: Task | null;
  readonly queuePosition: number | null;
  readonly status: 'loading' | 'ready' | 'absent' | 'failed';
  reload(): void;
}

/** One task, by our id or the provider's: asked for once and again while it waits its turn, and then told by the socket. */
export function useTask(id: string): ShownTask {
  const known = useValue(knownTasks);
  const [ownId, setOwnId] = useState(id);
  const [status, setStatus] = useState<ShownTask['status']>('loading');
  const [queuePosition, setQueuePosition] = useState<number | null>(null);
  const [round, setRound] = useState(0);
  const task = known.get(ownId) ?? null;
  const revision = task?.revision;
  const isLive = useValue(connection).state === 'live';

  useEffect(() => {
    let isOver = false;
    const take = async (): Promise<void> => {
      try {
        const { task: found } = await ask(TaskQuery, { id });
        if (isOver) return;
        if (found) takeTasks([found]);
        setOwnId(found?.id ?? id);
        setQueuePosition(found?.queuePosition ?? null);
        setStatus(found ? 'ready' : 'absent');
      } catch {
        if (!isOver) setStatus('failed');
      }
    };
    void take();
    return () => {
      isOver = true;
    };
    // Its place in the queue is not told by the socket, but most of what moves it is; and anew when the connection is back.
  }, [id, round, revision, isLive]);

  return {
    task,
    queuePosition,
    status,
    reload: () => {
      setRound((last) => last + 1);
    },
  };
}
