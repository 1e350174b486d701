import type { Task } from '../api/operations.ts';
import { duration } from '../text/duration.ts';
import { useText } from '../text/language.ts';
import { CopyButton } from '../ui/copy-button.tsx';
import { Again } from './again.tsx';

/** What became of a video: the video itself, or what happened and what one can do. */
export function Ending({ task }: { task: Task }) {
  const t = useText();
  const { completedAt, createdAt, failure, imageUrl, videos } = task;
  const time = completedAt === null ? '' : duration(Date.parse(completedAt) - Date.parse(createdAt));
  if (failure)
    return (
      <div className="failure">
        <p>{t(`failure_${failure.code}`)}</p>
        <p className="said">{failure.message}</p>
        <Again task={task} />
      </div>
    );
  return (
    <>
      {videos.map(({ url }) => (
        <div key={url}>
          <video
            src={url}
            controls
            playsInline
            loop
            preload="metadata"
            poster={imageUrl}
            aria-label={task.prompt}
          />
          <p className="row spread">
            <span className="hint">{t('took', { time })}</span>
            <span className="row">
              <a href={url} target="_blank" rel="noreferrer">
                {t('open')}
              </a>
              <CopyButton label={t('copyLink')} value={url} />
            </span>
          </p>
        </div>
      ))}
    </>
  );
}
