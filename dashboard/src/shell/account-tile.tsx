import { useEffect, useState } from 'react';
import { ask } from '../api/client.ts';
import { knownTasks } from '../api/known-tasks.ts';
import { AccountQuery, isOver } from '../api/operations.ts';
import { useValue } from '../api/value.ts';
import { language, useText } from '../text/language.ts';

/** The provider account's balance, asked for anew whenever a video has ended. */
export function AccountTile() {
  const t = useText();
  const [credits, setCredits] = useState<number | null>(null);
  const ended = [...useValue(knownTasks).values()].filter(isOver).length;
  const format = new Intl.NumberFormat(useValue(language));

  useEffect(() => {
    ask(AccountQuery, {}).then(
      ({ account }) => {
        setCredits(account.creditsRemaining);
      },
      // The tile says that it is not known; what is wrong shows elsewhere.
      () => {
        setCredits(null);
      },
    );
  }, [ended]);

  return (
    <span className="account">
      {t('credits')}: <strong>{credits === null ? t('creditsUnknown') : format.format(credits)}</strong>
    </span>
  );
}
