import { createValue } from './value.ts';

const KEY = 'kineograph.credential';

/** The API key or token of the one who looks: kept for this tab only. null when there is none. */
export const credential = createValue<string | null>(sessionStorage.getItem(KEY));

credential.subscribe(() => {
  const value = credential.get();
  if (value === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, value);
});

/** The header, or member of a socket's payload, that says who asks. */
export function authorization(): { readonly authorization?: string } {
  const value = credential.get();
  return value === null ? {} : { authorization: `Bearer ${value}` };
}
