import { useText } from '../text/language.ts';
import { Field } from './field.tsx';

/** In Unicode code points, as the gateway counts. */
export function countCharacters(text: string): number {
  return Array.from(text).length;
}

export function PromptField({
  max,
  onChange,
  problem,
  value,
}: {
  value: string;
  max: number;
  problem: string | null;
  onChange: (value: string) => void;
}) {
  const t = useText();
  const count = countCharacters(value);
  const hint = (
    <span className="row spread">
      <span>{t('promptHint')}</span>
      <span className={count > max ? 'problem' : undefined}>{t('promptCount', { count, max })}</span>
    </span>
  );
  return (
    <Field label={t('prompt')} hint={hint} problem={problem}>
      {(control) => (
        <textarea
          {...control}
          rows={4}
          value={value}
          onChange={({ target }) => {
            onChange(target.value);
          }}
        />
      )}
    </Field>
  );
}
