import { useLanguage } from '../text/language.ts';

/** A moment, as people here write it; without its seconds if `isShort`. */
export function Time({ at, isShort = false }: { at: string; isShort?: boolean }) {
  const timeStyle = isShort ? 'short' : 'medium';
  const format = new Intl.DateTimeFormat(useLanguage(), { dateStyle: 'medium', timeStyle });
  return <time dateTime={at}>{format.format(new Date(at))}</time>;
}
