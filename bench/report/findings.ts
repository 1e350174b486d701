import type { Topic } from './topic.ts';

/** What is known of a promise that is not kept, as sentences for the report. */
export interface Finding {
  /** Where the time, or whatever it is, goes: `npm run bench -- --profile` shows it. */
  readonly profile: string;
  /** What was done about it, and what that brought. */
  readonly tried: string;
}

/** Shown only while the promise is not kept. */
export const FINDINGS: Readonly<Partial<Record<Topic, Finding>>> = {};
