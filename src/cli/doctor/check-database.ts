import type { Config } from '../../config.ts';
import { inspectPostgres, type PostgresFacts } from '../../store/inspect-postgres.ts';
import { nameOf } from '../../store/name-of.ts';
import { StoreFormError } from '../../store/store-form-error.ts';
import { explainFailure } from './explain-failure.ts';
import { findingsOf, type Finding } from './finding.ts';
import { aboutForm, type StoreReport } from './store-report.ts';

const { failure, ok, warning } = findingsOf('store');

/** Each visible change takes several statements, one after the other. */
const SLOW_MS = 20;
/** Replicas count the slots of the provider's limit by their own clocks, which have to agree within this. */
const TOLERANCE_MS = 500;

/** PostgreSQL at DATABASE_URL. */
export async function checkDatabase(config: Config, url: string): Promise<StoreReport> {
  const where = `PostgreSQL at ${nameOf(url)}`;
  try {
    const facts = await inspectPostgres(url);
    const { callbackSecret, version } = facts;
    const findings = [
      aboutForm(facts, `${where}, version ${version}`, config),
      aboutTrip(facts),
      aboutClock(facts),
    ];
    return { findings, callbackSecret, isInUse: false };
  } catch (error) {
    const finding =
      error instanceof StoreFormError
        ? failure(where, error.message)
        : failure(
            `${where} cannot be used: ${explainFailure(error)}`,
            'Check DATABASE_URL, and that the server runs and lets this user in.',
          );
    return { findings: [finding], callbackSecret: null, isInUse: false };
  }
}

function aboutTrip({ roundTripMs }: PostgresFacts): Finding {
  const took = `a statement takes ${roundTripMs.toFixed(1)} ms there and back`;
  if (roundTripMs < SLOW_MS) return ok(took);
  return warning(took, 'Each change waits for several: run the gateway near its database.');
}

function aboutClock({ clockAheadMs }: PostgresFacts): Finding {
  const apart = `the clock of the database is ${Math.round(Math.abs(clockAheadMs))} ms ${clockAheadMs < 0 ? 'behind' : 'ahead of'} ours`;
  if (Math.abs(clockAheadMs) < TOLERANCE_MS) return ok(apart);
  return warning(
    apart,
    `Let both keep time by NTP: the clocks of all replicas have to agree within ${TOLERANCE_MS} ms.`,
  );
}
