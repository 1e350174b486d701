import type { Config } from '../../config/config.ts';
import { inTime } from './in-time.ts';
import type { StoreReport } from './store-report.ts';

/** Looks at the store, whichever it is. Never rejects. */
export async function checkStore(config: Config): Promise<StoreReport> {
  let report: StoreReport = { findings: [], callbackSecret: null, isInUse: false };
  const findings = await inTime('store', async () => {
    report = await look(config);
    return report.findings;
  });
  return { ...report, findings };
}

/** Each brings a driver, and that of the other one may not be installed. */
async function look(config: Config): Promise<StoreReport> {
  if (config.databaseUrl === null) {
    const { checkEmbeddedStore } = await import('./check-embedded-store.ts');
    return checkEmbeddedStore(config);
  }
  const { checkDatabase } = await import('./check-database.ts');
  return checkDatabase(config, config.databaseUrl);
}
