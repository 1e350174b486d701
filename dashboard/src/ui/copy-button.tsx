import { useState } from 'react';
import { useText } from '../text/language.ts';

/** Plain HTTP from another machine has no clipboard. */
async function write(value: string): Promise<void> {
  await navigator.clipboard.writeText(value);
}

/** Puts a text into the clipboard, and says so. */
export function CopyButton({ label, value }: { label: string; value: string }) {
  const t = useText();
  const [said, setSaid] = useState<'copied' | 'copyFailed' | null>(null);
  const copy = (): void => {
    write(value).then(
      () => {
        setSaid('copied');
      },
      () => {
        setSaid('copyFailed');
      },
    );
  };
  return (
    <button type="button" className="quiet" onClick={copy} aria-label={said ? undefined : label}>
      <span role="status">{said ? t(said) : label}</span>
    </button>
  );
}
