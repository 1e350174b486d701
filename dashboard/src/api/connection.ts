import { settings } from './settings.ts';
import { credential } from './credential.ts';
import { forgetTasks } from './known-tasks.ts';
import { createValue } from './value.ts';

/** How the page hears of changes right now. */
export type Connection =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  /** `nextAt`: when it is tried again, in ms since the epoch. */
  | { readonly state: 'reconnecting'; readonly nextAt: number }
  | { readonly state: 'offline' }
  /** `wasRefused`: what was given is not accepted, or no longer. */
  | { readonly state: 'signed-out'; readonly wasRefused: boolean };

const first: Connection =
  settings.signIn && credential.get() === null
    ? { state: 'signed-out', wasRefused: false }
    : { state: 'connecting' };

export const connection = createValue<Connection>(first);

/** Back to the sign-in, where the next one may be somebody else. `wasRefused`: the credential is not accepted (any more). */
export function signOut(wasRefused: boolean): void {
  credential.set(null);
  forgetTasks();
  connection.set({ state: 'signed-out', wasRefused });
}
