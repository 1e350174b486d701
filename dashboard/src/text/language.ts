import { createValue, useValue } from '../api/value.ts';
import { en, type Key, type Texts } from './en.ts';
import { zh } from './zh.ts';

export type Language = 'en' | 'zh';

export const LANGUAGES: Readonly<Record<Language, string>> = { en: 'English', zh: '中文' };

const TEXTS: Readonly<Record<Language, Texts>> = { en, zh };
const KEY = 'kineograph.language';

/** What was chosen here before, else what the browser prefers of what there is. */
function initial(): Language {
  const chosen = localStorage.getItem(KEY);
  if (chosen === 'en' || chosen === 'zh') return chosen;
  const preferred = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase());
  return preferred.find((tag) => tag === 'en' || tag === 'zh') ?? 'en';
}

export const language = createValue<Language>(initial());

language.subscribe(apply);
apply();

function apply(): void {
  document.documentElement.lang = language.get();
}

export function chooseLanguage(next: Language): void {
  localStorage.setItem(KEY, next);
  language.set(next);
}

/** Gives the texts of the chosen language, with values in the place of names in braces. */
export type Translate = (key: Key, values?: Readonly<Record<string, string | number>>) => string;

export function useLanguage(): Language {
  return useValue(language);
}

export function useText(): Translate {
  const texts = TEXTS[useLanguage()];
  return (key, values = {}) =>
    texts[key].replace(/\{(\w+)\}/g, (name, member: string) => String(values[member] ?? name));
}
