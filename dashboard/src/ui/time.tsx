import { language } from '../text/language.ts';
import { useValue } from '../api/value.ts';

/** A moment, as people here write it. */
export function Time({ at }: { at: string }) {
  const format = new Intl.DateTimeFormat(useValue(language), { dateStyle: 'medium', timeStyle: 'medium' });
  return <time dateTime={at}>{format.format(new Date(at))}</time>;
}
