/**
 * A URL from a text, null when it is none. Not `URL.canParse`: once optimised, Node 20 takes letters such as ü in it for
 * broken UTF-8 and says no.
 */
export function parseUrl(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}
