import type { Task } from '../api/operations.ts';
import { useText } from '../text/language.ts';
import { Again } from './again.tsx';
import { Player } from './player.tsx';

/** What became of a video: the video itself, or what happened and what one can do. */
export function Ending({ task }: { task: Task }) {
  const t = useText();
  const { failure, videos } = task;
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
      {videos.map((video) => (
        <Player key={video.url} task={task} video={video} />
      ))}
    </>
  );
}
