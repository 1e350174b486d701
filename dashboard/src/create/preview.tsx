import { useState } from 'react';
import { useText } from '../text/language.ts';

/** An image as it will be sent, where it can be shown here. */
export function Preview({ url }: { url: string }) {
  const t = useText();
  const [isBroken, setIsBroken] = useState(false);
  if (isBroken) return <p className="hint">{t('noPreview')}</p>;
  return (
    <img
      className="preview"
      src={url}
      alt={t('preview')}
      referrerPolicy="no-referrer"
      onError={() => {
        setIsBroken(true);
      }}
    />
  );
}
