import { connection, type Connection } from '../api/connection.ts';
import { useValue } from '../api/value.ts';
import { useText, type Translate } from '../text/language.ts';
import { useNow } from '../ui/use-now.ts';

/** How the page hears of changes, always in sight. */
export function ConnectionBadge() {
  const t = useText();
  const current = useValue(connection);
  const now = useNow(current.state === 'reconnecting');
  return (
    <span className={`badge ${current.state}`} role="status" data-connection={current.state}>
      {describe(current, now, t)}
    </span>
  );
}

function describe(current: Connection, now: number, t: Translate): string {
  switch (current.state) {
    case 'reconnecting': {
      const seconds = Math.ceil((current.nextAt - now) / 1000);
      return seconds > 0 ? t('reconnecting', { seconds }) : t('reconnectingNow');
    }
    case 'signed-out':
      return t('signedOut');
    case 'connecting':
    case 'live':
    case 'offline':
      return t(current.state);
  }
}
