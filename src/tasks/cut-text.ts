/** At most `max` characters of a text of somebody else, without NUL and lone surrogates, which no store takes. */
export function cutText(text: string, max: number): string {
  // Not between the halves of a surrogate pair.
  const whole = text.length > max ? text.slice(0, max).replace(/[\ud800-\udbff]$/, '') : text;
  return whole.replace(/[\0\p{Surrogate}]/gu, '\ufffd');
}
