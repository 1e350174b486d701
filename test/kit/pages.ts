import { existsSync, readdirSync } from 'node:fs';
import { ROOT } from './process.ts';

/** Every page for readers, relative to the project's directory. */
export const PAGES: readonly string[] = [
  ...pagesIn('', { recursive: false }),
  ...pagesIn('docs/', { recursive: true }),
  ...pagesIn('examples/', { recursive: true }),
];

function pagesIn(folder: string, { recursive }: { readonly recursive: boolean }): string[] {
  if (!existsSync(ROOT + folder)) return [];
  const names = readdirSync(ROOT + folder, { recursive }).map(String);
  return names.filter((name) => /^(?!.*node_modules).*\.md$/.test(name)).map((name) => folder + name);
}
