import { useId } from 'react';
import { isOver, type Task } from '../api/operations.ts';
import { useText } from '../text/language.ts';
import { Link } from '../ui/route.tsx';
import { Course } from './course.tsx';
import { Ending } from './ending.tsx';

/** One video in the list. */
export function TaskCard({ task }: { task: Task }) {
  const t = useText();
  const id = useId();
  return (
    <li className="card task" data-state={task.state} aria-labelledby={id}>
      <p className="row spread">
        <strong className={`state ${task.state}`}>{t(task.state)}</strong>
        <Link to={`/tasks/${task.id}`}>{t('details')}</Link>
      </p>
      {isOver(task) ? <Ending task={task} /> : <Course task={task} />}
      <p id={id} className="prompt">
        {task.prompt}
      </p>
    </li>
  );
}
