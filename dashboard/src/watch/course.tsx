import { useState } from 'react';
import { change } from '../api/client.ts';
import { takeTasks } from '../api/known-tasks.ts';
import { CancelTask, type Task } from '../api/operations.ts';
import { duration } from '../text/duration.ts';
import { useText } from '../text/language.ts';
import { useNow } from '../ui/use-now.ts';

/** A video that is being made: how far it has come, by the time that others took. */
export function Course({ task }: { task: Task }) {
  const t = useText();
  const now = useNow(true);
  const begun = Date.parse(task.createdAt);
  const expected = task.expectedAt === null ? null : Date.parse(task.expectedAt);
  const elapsed = t('elapsed', { time: duration(now - begun) });
  return (
    <div className="course">
      {expected === null ? (
        <progress aria-label={t(task.state)} />
      ) : (
        // Full only when it is over.
        <progress
          aria-label={t(task.state)}
          value={Math.min(0.98, (now - begun) / Math.max(1, expected - begun))}
        />
      )}
      <p className="row spread">
        <span>
          {elapsed}
          {expected !== null &&
            ` · ${now < expected ? t('expectedIn', { time: duration(expected - now) }) : t('overdue')}`}
        </span>
        {task.state === 'SUBMITTING' && <Cancel id={task.id} />}
      </p>
    </div>
  );
}

function Cancel({ id }: { id: string }) {
  const t = useText();
  const [problem, setProblem] = useState<'cancelTooLate' | 'requestFailed' | null>(null);
  const cancel = async (): Promise<void> => {
    try {
      const { cancelTask } = await change(CancelTask, { id });
      takeTasks([cancelTask.task]);
      setProblem(cancelTask.__typename === 'CannotCancelError' ? 'cancelTooLate' : null);
    } catch {
      setProblem('requestFailed');
    }
  };
  return (
    <span>
      <button type="button" className="quiet" onClick={() => void cancel()}>
        {t('cancel')}
      </button>
      <span role="alert" className="problem">
        {problem !== null && t(problem)}
      </span>
    </span>
  );
}
