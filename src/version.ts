import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};

/** This program's version, from its package. */
export const VERSION = manifest.version;

/** Who we say we are when we call others. */
export const USER_AGENT = `kineograph/${VERSION}`;
