import { signOut } from '../api/connection.ts';
import { credential } from '../api/credential.ts';
import { useValue } from '../api/value.ts';
import { forgetAttempts } from '../create/attempt.ts';
import { draft } from '../create/draft.ts';
import { LANGUAGES, chooseLanguage, language, useText, type Language } from '../text/language.ts';
import { Link } from '../ui/route.tsx';
import { THEMES, theme } from '../ui/theme.ts';
import { AccountTile } from './account-tile.tsx';
import { ConnectionBadge } from './connection-badge.tsx';

const THEME_TEXTS = { auto: 'themeAuto', light: 'themeLight', dark: 'themeDark' } as const;

export function Header({ isSignedIn }: { isSignedIn: boolean }) {
  const t = useText();
  const hasCredential = useValue(credential) !== null;
  return (
    <header>
      <h1>
        <Link to="/">{t('title')}</Link>
      </h1>
      <ConnectionBadge />
      {isSignedIn && <AccountTile />}
      <span className="row choices">
        <select
          aria-label={t('language')}
          value={useValue(language)}
          onChange={({ target }) => {
            chooseLanguage(target.value as Language);
          }}
        >
          {Object.entries(LANGUAGES).map(([tag, name]) => (
            <option key={tag} value={tag} lang={tag}>
              {name}
            </option>
          ))}
        </select>
        <select
          aria-label={t('theme')}
          value={useValue(theme)}
          onChange={({ target }) => {
            theme.set(THEMES.find((one) => one === target.value) ?? 'auto');
          }}
        >
          {THEMES.map((one) => (
            <option key={one} value={one}>
              {t(THEME_TEXTS[one])}
            </option>
          ))}
        </select>
        {hasCredential && (
          <button
            type="button"
            className="quiet"
            onClick={() => {
              forgetAttempts();
              draft.set('');
              signOut(false);
            }}
          >
            {t('signOut')}
          </button>
        )}
      </span>
    </header>
  );
}
