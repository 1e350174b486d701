import type { Config } from '../../config.ts';
import { checkDatabase } from './check-database.ts';
import { checkEmbeddedStore } from './check-embedded-store.ts';
import { inTime } from './in-time.ts';
import type { StoreReport } from './store-report.ts';

/** Looks at the store, whichever it is. Never rejects. */
export async function checkStore(config: Config): Promise<StoreReport> {
  let report: StoreReport = { findings: [], callbackSecret: null, isInUse: false };
  const findings = await inTime('store', async () => {
    report = await (config.databaseUrl === null
      ? checkEmbeddedStore(config)
      : checkDatabase(config, config.databaseUrl));
    return report.findings;
  });
  return { ...report, findings };
}
