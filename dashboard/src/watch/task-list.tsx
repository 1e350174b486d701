import { useEffect, useId, useMemo, useRef, useState } from 'react';
import { TASK_STATES, type TaskState } from '../api/operations.ts';
import { useText } from '../text/language.ts';
import { LoadFailed } from '../ui/load-failed.tsx';
import { TaskCard } from './task-card.tsx';
import { useTasks } from './use-tasks.ts';

/** All videos of the caller, live, with a filter and a search. */
export function TaskList() {
  const t = useText();
  const id = useId();
  const [state, setState] = useState<TaskState | null>(null);
  const [search, setSearch] = useState('');
  const states = useMemo(() => (state === null ? [] : [state]), [state]);
  const { hasFailed, hasMore, isLoading, loadMore, tasks } = useTasks(states);
  const wanted = search.trim().toLocaleLowerCase();
  const shown = tasks.filter(({ prompt }) => prompt.toLocaleLowerCase().includes(wanted));

  return (
    <section aria-labelledby={id} className="tasks" id="tasks" tabIndex={-1}>
      <h2 id={id}>{t('tasks')}</h2>
      <div className="row filters">
        <label>
          {t('filter')}{' '}
          <select
            value={state ?? ''}
            onChange={({ target }) => {
              setState(TASK_STATES.find((one) => one === target.value) ?? null);
            }}
          >
            <option value="">{t('filterAll')}</option>
            {TASK_STATES.map((one) => (
              <option key={one} value={one}>
                {t(one)}
              </option>
            ))}
          </select>
        </label>
        <input
          type="search"
          value={search}
          placeholder={t('search')}
          aria-label={t('search')}
          onChange={({ target }) => {
            setSearch(target.value);
          }}
        />
      </div>
      <ul className="grid">
        {shown.map((task) => (
          <TaskCard key={task.id} task={task} />
        ))}
      </ul>
      {shown.length === 0 && !isLoading && !hasFailed && (
        <p className="hint">{t(tasks.length === 0 && state === null ? 'noTasks' : 'nothingFound')}</p>
      )}
      {hasFailed && <LoadFailed onRetry={loadMore} />}
      {isLoading && <p className="hint">{t('loading')}</p>}
      {hasMore && !isLoading && <More onReached={loadMore} />}
    </section>
  );
}

/** Loads more when it is scrolled to, or pressed. */
function More({ onReached }: { onReached: () => void }) {
  const t = useText();
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const observer = new IntersectionObserver((entries) => {
      if (entries.some(({ isIntersecting }) => isIntersecting)) onReached();
    });
    if (button.current) observer.observe(button.current);
    return () => {
      observer.disconnect();
    };
  }, [onReached]);
  return (
    <button type="button" ref={button} onClick={onReached}>
      {t('loadMore')}
    </button>
  );
}
