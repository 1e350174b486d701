/** How many characters of a text of somebody else's are logged. */
export const MAX_TEXT = 200;

/**
 * The beginning of a text that somebody else wrote, fit for a line of the log and for a terminal: control characters,
 * line breaks and marks that change the direction of text are escaped.
 */
export function excerpt(text: string, max = MAX_TEXT): string {
  if (text.length <= max && PLAIN.test(text)) return text;
  return escaped(beginning(text, max), ODD);
}

/** The same for the message and stack of an error, which have lines. */
export function excerptOfLines(text: string, max: number): string {
  return escaped(beginning(text, max), ODD_BUT_LINE_BREAKS);
}

/** Most texts are: a search for classes of Unicode takes several times as long. */
const PLAIN = /^[\x20-\x7e]*$/;

const ODD = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;
const ODD_BUT_LINE_BREAKS = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

function beginning(text: string, max: number): string {
  // Not between the halves of a surrogate pair.
  return text.length > max ? `${text.slice(0, max).replace(/[\ud800-\udbff]$/, '')}…` : text;
}

function escaped(text: string, odd: RegExp): string {
  return text.replace(odd, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`);
}
