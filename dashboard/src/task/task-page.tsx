import { isOver } from '../api/operations.ts';
import { useText } from '../text/language.ts';
import { LoadFailed } from '../ui/load-failed.tsx';
import { Link } from '../ui/route.tsx';
import { Course } from '../watch/course.tsx';
import { Ending } from '../watch/ending.tsx';
import { Facts } from './facts.tsx';
import { Operations } from './operations.tsx';
import { Timeline } from './timeline.tsx';
import { useTask } from './use-task.ts';

/** All that is known of one video. */
export function TaskPage({ id }: { id: string }) {
  const t = useText();
  const { queuePosition, reload, status, task } = useTask(id);
  return (
    <article className="task-page">
      <p>
        <Link to="/">← {t('backToAll')}</Link>
      </p>
      {!task && status === 'loading' && <p className="hint">{t('loading')}</p>}
      {status === 'absent' && <h2>{t('noSuchTask')}</h2>}
      {status === 'failed' && <LoadFailed onRetry={reload} />}
      {task && (
        <>
          <h2 className="prompt">{task.prompt}</h2>
          <div className="columns">
            <section className="card" aria-label={t(task.state)}>
              <p>
                <strong className={`state ${task.state}`} role="status">
                  {t(task.state)}
                </strong>
              </p>
              {isOver(task) ? <Ending task={task} /> : <Course task={task} />}
            </section>
            <Timeline task={task} />
            <Facts task={task} queuePosition={queuePosition} />
            <Operations task={task} />
          </div>
        </>
      )}
    </article>
  );
}
