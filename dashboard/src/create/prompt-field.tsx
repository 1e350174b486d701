import { useId } from 'react';
import { useText } from '../text/language.ts';
import type { Key } from '../text/en.ts';

/** The provider's own limit, in Unicode code points. */
export const MAX_PROMPT = 1500;

export function countCharacters(text: string): number {
  return Array.from(text).length;
}

export function PromptField({
  onChange,
  problem,
  value,
}: {
  value: string;
  problem: Key | null;
  onChange: (value: string) => void;
}) {
  const t = useText();
  const id = useId();
  const count = countCharacters(value);
  return (
    <div className="field">
      <label htmlFor={id}>{t('prompt')}</label>
      <textarea
        id={id}
        rows={4}
        value={value}
        aria-invalid={problem !== null}
        aria-describedby={`${id}-hint ${id}-count ${id}-problem`}
        onChange={({ target }) => {
          onChange(target.value);
        }}
      />
      <p className="row spread">
        <span id={`${id}-hint`} className="hint">
          {t('promptHint')}
        </span>
        <span id={`${id}-count`} className={count > MAX_PROMPT ? 'problem' : 'hint'}>
          {t('promptCount', { count, max: MAX_PROMPT })}
        </span>
      </p>
      <p id={`${id}-problem`} className="problem" role="alert">
        {problem !== null && t(problem)}
      </p>
    </div>
  );
}
