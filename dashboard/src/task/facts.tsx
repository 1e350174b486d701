import type { ReactNode } from 'react';
import type { Task, Video } from '../api/operations.ts';
import { bytes } from '../text/bytes.ts';
import type { Key } from '../text/en.ts';
import { useLanguage, useText } from '../text/language.ts';
import { resolution } from '../text/resolution.ts';
import { CopyButton } from '../ui/copy-button.tsx';
import { Time } from '../ui/time.tsx';

export function Facts({ queuePosition, task }: { task: Task; queuePosition: number | null }) {
  const t = useText();
  const language = useLanguage();
  const { durationSeconds, negativePrompt, resolution: size, seed, sound } = task.options;
  const fileOf = ({ bytes: length, durationSeconds: seconds, height, width }: Video['archive']) =>
    length === null || seconds === null
      ? null
      : `${width} × ${height} · ${t('seconds', { seconds: Math.round(seconds * 10) / 10 })} · ${bytes(length, language)}`;
  const time = (at: string | null): ReactNode => (at === null ? null : <Time at={at} />);
  const raw = (value: string | null, what: string): ReactNode =>
    value === null ? null : (
      <>
        <code>{value}</code> <CopyButton label={t('copyOf', { what })} value={value} />
      </>
    );
  const rows: readonly (readonly [string, ReactNode])[] = [
    [t('id'), raw(task.id, t('id'))],
    [t('providerId'), raw(task.providerTaskId, t('providerId'))],
    [t('model'), task.modelInfo?.title ?? task.model],
    [t('durationSeconds'), durationSeconds === null ? null : t('seconds', { seconds: durationSeconds })],
    [t('resolution'), size === null ? null : resolution(size)],
    [t('sound'), sound === null ? null : t(sound ? 'soundOn' : 'soundOff')],
    [t('negativePrompt'), negativePrompt],
    [t('seed'), seed],
    [t('firstImage'), raw(task.imageUrl, t('firstImage'))],
    [t('lastImage'), raw(task.endImageUrl, t('lastImage'))],
    ...task.videos.flatMap(({ archive, sourceUrl }, index) => {
      const name = (key: Key): string => (task.videos.length > 1 ? `${t(key)} ${index + 1}` : t(key));
      return [
        [name('videoFile'), fileOf(archive)] as const,
        [name('storedAt'), time(archive.storedAt)] as const,
        [name('sourceUrl'), raw(sourceUrl, name('sourceUrl'))] as const,
      ];
    }),
    [t('queuePosition'), task.state === 'SUBMITTING' ? queuePosition : null],
    [t('createdAt'), time(task.createdAt)],
    [t('updatedAt'), time(task.updatedAt)],
    [t('completedAt'), time(task.completedAt)],
    [t('creditsConsumed'), task.creditsConsumed],
    [t('revision'), task.revision],
  ];
  return (
    <section className="card" aria-labelledby="facts-title">
      <h3 id="facts-title">{t('facts')}</h3>
      <dl>
        {rows
          .filter(([, value]) => value !== null)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
    </section>
  );
}
