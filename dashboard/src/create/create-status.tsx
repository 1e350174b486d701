import { Link } from '../ui/route.tsx';
import { useText } from '../text/language.ts';
import type { Creating } from './use-create.ts';

/** What became of the attempt, for eyes and for screen readers. */
export function CreateStatus({ creating, isUploading }: { creating: Creating; isUploading: boolean }) {
  const t = useText();
  return (
    <>
      <p role="status">
        {isUploading && t('waitForUpload')}
        {creating.state === 'sending' && creating.isUnsure && t('submitUnsure')}
        {creating.state === 'created' && (
          <>
            {t('created')} <Link to={`/tasks/${creating.id}`}>{t('details')}</Link>
          </>
        )}
      </p>
      <p className="problem" role="alert">
        {creating.state === 'refused' && (
          <>
            {t(`failure_${creating.code}`)} <span className="said">{creating.message}</span>
          </>
        )}
        {creating.state === 'failed' && (creating.said ?? t(creating.text))}
      </p>
    </>
  );
}
