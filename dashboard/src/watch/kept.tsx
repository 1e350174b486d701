import type { Video } from '../api/operations.ts';
import { bytes } from '../text/bytes.ts';
import type { Key } from '../text/en.ts';
import { useLanguage, useText } from '../text/language.ts';
import { Time } from '../ui/time.tsx';

/** Whether the gateway keeps a video, and when it may vanish. */
export function Kept({ video }: { video: Video }) {
  const t = useText();
  const language = useLanguage();
  const { archive, expiresAt } = video;
  const [state, expiry] = textsOf(video);
  return (
    <p className="hint kept" data-archive={archive.state}>
      <strong>{t(state, { size: bytes(archive.bytes ?? 0, language) })}</strong>
      {archive.message !== null && ` · ${archive.message}`}
      {expiresAt !== null && (
        <>
          {` · ${t(expiry)} `}
          <Time at={expiresAt} isShort />
        </>
      )}
    </p>
  );
}

/** What to say of the copy, and what of `expiresAt`. */
function textsOf({ archive: { state }, expiresAt }: Video): readonly [Key, Key] {
  if (state === 'STORED') return ['archive_STORED', 'keptUntil'];
  const isAtProvider = expiresAt === null || Date.now() < Date.parse(expiresAt);
  return [
    state === 'LOST' && isAtProvider ? 'notCopied' : `archive_${state}`,
    isAtProvider ? 'sourceUntil' : 'sourceGone',
  ];
}
