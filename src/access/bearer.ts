/**
 * The API key or token in the value of an Authorization header: one word of visible ASCII, with "Bearer" (RFC 6750) before
 * it or alone. undefined when it is anything else.
 */
export function bearerIn(authorization: string | undefined): string | undefined {
  return /^(?:Bearer +)?([\x21-\x7e]+) *$/i.exec(authorization ?? '')?.[1];
}

/** The member `authorization`, in any letter case, of something that a client sent; undefined when it is no text or blank. */
export function authorizationIn(members: unknown): string | undefined {
  if (typeof members !== 'object' || members === null) return undefined;
  const named = Object.entries(members).find(([name]) => name.toLowerCase() === 'authorization');
  const given: unknown = named?.[1];
  return typeof given === 'string' && given.trim() !== '' ? given : undefined;
}
