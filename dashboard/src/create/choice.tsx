import { useText } from '../text/language.ts';
import { Field } from './field.tsx';

/** One of several values, or null for the model's default. */
export function Choice<Value extends string | number | boolean>({
  hasNull,
  label,
  onChange,
  problem = null,
  textOf,
  value,
  values,
}: {
  label: string;
  value: Value | null | undefined;
  values: readonly Value[];
  /** Whether null may be chosen. */
  hasNull: boolean;
  problem?: string | null;
  textOf: (value: Value) => string;
  onChange: (value: Value | null) => void;
}) {
  const t = useText();
  return (
    <Field label={label} problem={problem}>
      {(control) => (
        <select
          {...control}
          value={String(value ?? '')}
          onChange={({ target }) => {
            onChange(values.find((one) => String(one) === target.value) ?? null);
          }}
        >
          {hasNull && <option value="">{t('modelDefault')}</option>}
          {values.map((one) => (
            <option key={String(one)} value={String(one)}>
              {textOf(one)}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
