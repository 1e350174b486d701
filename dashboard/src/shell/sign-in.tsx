import { useState, type SyntheticEvent } from 'react';
import { connection } from '../api/connection.ts';
import { credential } from '../api/credential.ts';
import { useText } from '../text/language.ts';

/** Asks who is there; nothing else is shown meanwhile. */
export function SignIn({ wasRefused }: { wasRefused: boolean }) {
  const t = useText();
  const [value, setValue] = useState('');
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    if (value.trim() === '') return;
    credential.set(value.trim());
    connection.set({ state: 'connecting' });
  };
  return (
    <section className="card sign-in" aria-labelledby="sign-in-title">
      <h2 id="sign-in-title">{t('signIn')}</h2>
      <p>{t('signInHint')}</p>
      <form onSubmit={submit}>
        <label htmlFor="credential">{t('credential')}</label>
        <input
          id="credential"
          type="password"
          autoComplete="off"
          autoFocus
          value={value}
          aria-invalid={wasRefused}
          aria-describedby="credential-problem"
          onChange={({ target }) => {
            setValue(target.value);
          }}
        />
        <p id="credential-problem" className="problem" role="alert">
          {wasRefused && t('signInRefused')}
        </p>
        <button type="submit" className="primary">
          {t('signIn')}
        </button>
      </form>
    </section>
  );
}
