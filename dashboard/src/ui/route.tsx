import type { MouseEvent, ReactNode } from 'react';
import { createValue } from '../api/value.ts';

/** The path of the page's address. */
export const route = createValue(location.pathname);

window.addEventListener('popstate', () => {
  route.set(location.pathname);
});

function go(path: string): void {
  history.pushState(null, '', path);
  route.set(path);
  window.scrollTo(0, 0);
}

/** Leads to another address of this page without loading it anew. */
export function Link({ children, className, to }: { to: string; className?: string; children: ReactNode }) {
  const follow = (event: MouseEvent): void => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a href={to} className={className} onClick={follow}>
      {children}
    </a>
  );
}
