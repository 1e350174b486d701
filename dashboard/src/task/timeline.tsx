import type { Task } from '../api/operations.ts';
import { useText } from '../text/language.ts';
import { Time } from '../ui/time.tsx';

/** The states that a video came to, when, and who told of them. */
export function Timeline({ task: { timeline } }: { task: Task }) {
  const t = useText();
  return (
    <section className="card" aria-labelledby="timeline-title">
      <h3 id="timeline-title">{t('timeline')}</h3>
      <ol className="timeline">
        {timeline.map(({ at, source, state }) => (
          <li key={state}>
            <strong>{t(state)}</strong> <Time at={at} />
            <br />
            <span className="hint">{t(source)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
