import { useState } from 'react';
import type { Task, Video } from '../api/operations.ts';
import { duration } from '../text/duration.ts';
import { useText } from '../text/language.ts';
import { CopyButton } from '../ui/copy-button.tsx';
import { Kept } from './kept.tsx';

/** A video: its player, which always takes the same room, its address, and whether it is kept. */
export function Player({ task, video }: { task: Task; video: Video }) {
  const t = useText();
  const { completedAt, createdAt, imageUrl, prompt } = task;
  const { state } = video.archive;
  const time = completedAt === null ? '' : duration(Date.parse(completedAt) - Date.parse(createdAt));
  const address = addressOf(video);
  // A new player for a video that could not be loaded where it was and is elsewhere now. One that plays is left alone.
  const [loadedIn, setLoadedIn] = useState(state);
  return (
    <div>
      <video
        key={`${loadedIn} ${address ?? ''}`}
        src={address ?? undefined}
        controls={address !== null}
        playsInline
        loop
        preload="metadata"
        poster={imageUrl}
        aria-label={prompt}
        onError={() => {
          setLoadedIn(state);
        }}
      />
      <p className="row spread">
        <span className="hint">{t('took', { time })}</span>
        {address !== null && (
          <span className="row">
            {state === 'STORED' ? (
              <a href={`${address}?download=1`} download>
                {t('download')}
              </a>
            ) : (
              <a href={address} target="_blank" rel="noreferrer">
                {t('open')}
              </a>
            )}
            <CopyButton label={t('copyLink')} value={address} />
          </span>
        )}
      </p>
      <Kept video={video} />
    </div>
  );
}

/** Where the video can be played; null when it is gone. Without a copy it is at the provider, for as long as that promises. */
function addressOf({ archive, expiresAt, sourceUrl, url }: Video): string | null {
  if (archive.state !== 'LOST' && archive.state !== 'DELETED') return url;
  return expiresAt === null || Date.now() < Date.parse(expiresAt) ? sourceUrl : null;
}
