/** What an Authorization header carries as a Bearer token (RFC 6750); undefined when that is missing or cannot be one. */
export function bearerIn(authorization: string | undefined): string | undefined {
  return /^Bearer +([\x21-\x7e]+) *$/i.exec(authorization ?? '')?.[1];
}
