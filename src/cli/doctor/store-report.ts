import type { Config } from '../../config/config.ts';
import type { StoreFacts } from '../../store/stats.ts';
import { findingsOf, type Finding } from './findings.ts';

/** What the store says, for the checks that come after. */
export interface StoreReport {
  readonly findings: readonly Finding[];
  /** Of which callback addresses are made; null when it is not known. */
  readonly callbackSecret: Buffer | null;
  /** A gateway of this machine runs on it; false also where that cannot be told. */
  readonly isInUse: boolean;
}

const { failure, ok, warning } = findingsOf('store');

/** The finding about a store's schema; `where` begins the sentence. */
export function aboutSchema({ pending }: StoreFacts, where: string, { migrate }: Config): Finding {
  if (pending.length === 0) return ok(`${where}; its schema is up to date`);
  const lack = `${where}; it lacks the migrations ${pending.join(', ')}`;
  if (!migrate)
    return failure(`${lack}, and MIGRATE=false`, 'Run "kineograph migrate" before the next start.');
  return warning(
    lack,
    'The next start runs them. Make a backup first: an older version refuses a newer schema.',
  );
}
