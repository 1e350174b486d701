import { createValue } from '../api/value.ts';

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'kineograph.theme';

/** Chosen here, or as the system has it. */
export const theme = createValue<Theme>(THEMES.find((one) => one === localStorage.getItem(KEY)) ?? 'auto');

theme.subscribe(() => {
  localStorage.setItem(KEY, theme.get());
  apply();
});
apply();

function apply(): void {
  const chosen = theme.get();
  document.documentElement.style.colorScheme = chosen === 'auto' ? 'light dark' : chosen;
}
