import { useText } from '../text/language.ts';

/** Says that something could not be loaded, and offers to try again. */
export function LoadFailed({ onRetry }: { onRetry: () => void }) {
  const t = useText();
  return (
    <p className="problem" role="alert">
      {t('loadFailed')}{' '}
      <button type="button" className="quiet" onClick={onRetry}>
        {t('retry')}
      </button>
    </p>
  );
}
