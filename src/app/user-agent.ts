import { VERSION } from '../version.ts';

/** Who we say we are when we call others. */
export const USER_AGENT = `kineograph/${VERSION}`;
