/** A database's address without the password. */
export function nameOf(url: string): string {
  const { host, pathname, username } = new URL(url);
  return `${username === '' ? '' : `${username}@`}${host}${pathname}`;
}
