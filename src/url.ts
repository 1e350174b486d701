/** In characters. Node's parser takes quadratic time for combining characters in a host. */
const MAX_LENGTH = 2048;

/**
 * A URL from a text, null when it is none or longer than 2,048 characters. Nothing else parses a text from outside as a URL.
 * Not `URL.canParse`: once optimised, Node 20 takes letters such as ü in it for broken UTF-8 and says no.
 */
export function parseUrl(text: string, base?: string): URL | null {
  // A character has at most two units.
  if (text.length > 2 * MAX_LENGTH || (text.length > MAX_LENGTH && Array.from(text).length > MAX_LENGTH))
    return null;
  try {
    return new URL(text, base);
  } catch {
    return null;
  }
}
