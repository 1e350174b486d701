import type { Config } from '../../config/config.ts';
import { inspectPostgres, type PostgresFacts } from '../../store/postgres/inspect.ts';
import { nameOf } from '../../store/record.ts';
import { POOLED, adviceFor } from '../../store/postgres/pool.ts';
import { StoreSchemaError } from '../../store/schema.ts';
import { explainFailure, findingsOf, type Finding } from './findings.ts';
import { aboutSchema, type StoreReport } from './store-report.ts';

const { failure, ok, warning } = findingsOf('store');

/** Each visible change takes several statements, one after the other. */
const SLOW_MS = 20;
/** Replicas count the slots of the provider's limit by their own clocks, which have to agree within this. */
const TOLERANCE_MS = 500;

/** PostgreSQL at DATABASE_URL. */
export async function checkDatabase(config: Config, url: string): Promise<StoreReport> {
  const where = `PostgreSQL at ${nameOf(url)}`;
  try {
    const { databaseConnections: readers, databaseListenUrl: listenUrl, migrate: mayMigrate } = config;
    const facts = await inspectPostgres({ url, listenUrl, readers, mayMigrate });
    const { callbackSecret, version } = facts;
    const findings = [
      aboutSchema(facts, `${where}, version ${version}`, config),
      ...aboutWrites(facts),
      ...aboutSession(facts),
      aboutConnections(facts),
      aboutTrip(facts),
      aboutClock(facts),
    ];
    return { findings, callbackSecret, isInUse: false };
  } catch (error) {
    const finding =
      error instanceof StoreSchemaError
        ? failure(where, error.message)
        : failure(`${where} cannot be used: ${explainFailure(error)}`, adviceFor(error));
    return { findings: [finding], callbackSecret: null, isInUse: false };
  }
}

function aboutWrites({ obstacle, pending }: PostgresFacts): readonly Finding[] {
  if (obstacle === null)
    return pending.length > 0
      ? []
      : [ok('everything that a gateway writes can be written (tried and rolled back)')];
  const what = pending.length > 0 ? 'the store cannot be migrated' : 'a gateway could not write';
  return [failure(`${what}: ${explainFailure(obstacle.error)}`, adviceFor(obstacle.error))];
}

function aboutSession(facts: PostgresFacts): readonly Finding[] {
  return facts.keepsSession ? [] : [failure('a pooler stands in front of the database', POOLED)];
}

function aboutConnections({ connections: { error, had, needed } }: PostgresFacts): Finding {
  if (had === needed) return ok(`the ${needed} connections of a gateway are available`);
  return failure(
    `only ${had} of the ${needed} connections of a gateway are available beside those in use: ${explainFailure(error)}`,
    adviceFor(error),
  );
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
