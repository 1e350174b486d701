import { useEffect, useRef, useState } from 'react';
import { knownTasks, type KnownTasks } from '../api/known-tasks.ts';
import { useValue } from '../api/value.ts';
import { useText } from '../text/language.ts';

const MAX_PROMPT = 60;

/** Tells screen readers of the newest change of state, and of nothing that was so before. */
export function Announcer() {
  const t = useText();
  const tasks = useValue(knownTasks);
  const before = useRef<KnownTasks>(tasks);
  const [said, setSaid] = useState('');

  useEffect(() => {
    const changed = [...tasks.values()].filter(({ id, state }) => {
      const last = before.current.get(id);
      return last !== undefined && last.state !== state;
    });
    before.current = tasks;
    const newest = changed.at(-1);
    if (newest)
      setSaid(t('announce', { state: t(newest.state), prompt: newest.prompt.slice(0, MAX_PROMPT) }));
    // Only news is told: another language is none.
  }, [tasks]);

  return (
    <p className="hidden" role="status" aria-live="polite">
      {said}
    </p>
  );
}
