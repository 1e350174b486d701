import { draft } from '../create/draft.ts';
import { useText } from '../text/language.ts';

const DIRECTIVES = [
  '[sandbox: duration=30s]',
  '[sandbox: fail=501]',
  '[sandbox: reject=402]',
  '[sandbox: callback=never]',
  '[sandbox: answer=drop]',
];

/** Says that nothing here is real, and what can be tried. */
export function SandboxBanner() {
  const t = useText();
  return (
    <aside className="banner" aria-label={t('sandboxTitle')}>
      <p>
        <strong>{t('sandboxTitle')}</strong> {t('sandboxHint')}
      </p>
      <p className="row">
        {DIRECTIVES.map((directive) => (
          <button
            key={directive}
            type="button"
            className="quiet"
            aria-label={t('sandboxAdd', { directive })}
            onClick={() => {
              draft.set(`${draft.get()} ${directive}`.trim());
            }}
          >
            <code>{directive}</code>
          </button>
        ))}
      </p>
    </aside>
  );
}
