import { useEffect } from 'react';

/** Takes what is pasted anywhere on the page when it is a file, unless something on the page has taken it. */
export function usePastedFile(take: (file: File) => void): void {
  useEffect(() => {
    const paste = (event: ClipboardEvent): void => {
      const file = event.clipboardData?.files[0];
      if (!file || event.defaultPrevented) return;
      event.preventDefault();
      take(file);
    };
    document.addEventListener('paste', paste);
    return () => {
      document.removeEventListener('paste', paste);
    };
  }, [take]);
}
