/** A JSON object, whose members nobody has looked at. */
export type Fields = Readonly<Record<string, unknown>>;

/** The members of a JSON value; null when it is no object. */
export function fieldsOf(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

/** What a member says. Absent, null, empty and of a wrong type all mean that nothing was said. */
export function textOf(value: unknown): string | null {
  if (typeof value === 'number') return String(value);
  const said = typeof value === 'string' ? value.trim() : '';
  return said === '' ? null : said;
}

/** What the provider says in words. It may repeat the callback address, whose token is for nobody else. */
export function wordsOf(value: unknown): string | null {
  return textOf(value)?.replace(/(\/webhooks\/kie\/[^/\s"\\?#]+\/)[^/\s"\\?#]+/g, '$1[redacted]') ?? null;
}

/** A number, also one written as a string. */
export function amountOf(value: unknown): number | null {
  const said = textOf(value);
  const number = said === null ? NaN : Number(said);
  return Number.isFinite(number) ? number : null;
}
