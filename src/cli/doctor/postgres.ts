import type { Config } from '../../config/config.ts';
import { inspectPostgres, type PostgresFacts } from '../../store/postgres/inspect.ts';
import { POOLED, adviceFor } from '../../store/postgres/pool.ts';
import { databaseName } from '../../store/connections.ts';
import { StoreSchemaError } from '../../store/schema.ts';
import { aboutSchema, explainFailure, findingsOf, type Finding, type StoreReport } from './findings.ts';

const { failure, ok, warning } = findingsOf('store');

/** Each visible change takes several statements, one after the other. */
const SLOW_MS = 20;
/** Replicas count the slots of the provider's limit by their own clocks, which have to agree within this. */
const TOLERANCE_MS = 500;

/** PostgreSQL at DATABASE_URL. */
export async function checkPostgres(config: Config, url: string): Promise<StoreReport> {
  const { databaseConnections: readers, databaseListenUrl: listenUrl, migrate: mayMigrate } = config;
  const where = `PostgreSQL at ${databaseName(url)}`;
  try {
    const facts = await inspectPostgres({ url, listenUrl, readers, mayMigrate });
    const schema = aboutSchema(facts, `${where}, version ${facts.version}`, mayMigrate);
    return { findings: [schema, ...aboutUse(facts)], callbackSecret: facts.callbackSecret, isInUse: false };
  } catch (error) {
    const finding =
      error instanceof StoreSchemaError
        ? failure(where, error.message)
        : failure(`${where} cannot be used: ${explainFailure(error)}`, adviceFor(error));
    return { findings: [finding], callbackSecret: null, isInUse: false };
  }
}

function* aboutUse(facts: PostgresFacts): Generator<Finding> {
  const { clockAheadMs, connections, keepsSession, obstacle, pending, roundTripMs } = facts;
  if (obstacle !== null) {
    const what = pending.length > 0 ? 'the store cannot be migrated' : 'a gateway could not write';
    yield failure(`${what}: ${explainFailure(obstacle.error)}`, adviceFor(obstacle.error));
  } else if (pending.length === 0)
    yield ok('everything that a gateway writes can be written (tried and rolled back)');
  if (!keepsSession) yield failure('a pooler stands in front of the database', POOLED);

  const { error, had, needed } = connections;
  yield had === needed
    ? ok(`the ${needed} connections of a gateway are available`)
    : failure(
        `only ${had} of the ${needed} connections of a gateway are available beside those in use: ${explainFailure(error)}`,
        adviceFor(error),
      );

  const trip = `a statement takes ${roundTripMs.toFixed(1)} ms there and back`;
  yield roundTripMs < SLOW_MS
    ? ok(trip)
    : warning(trip, 'Each change waits for several: run the gateway near its database.');

  const apart = Math.round(Math.abs(clockAheadMs));
  const clock = `the clock of the database is ${apart} ms ${clockAheadMs < 0 ? 'behind' : 'ahead of'} ours`;
  yield apart < TOLERANCE_MS
    ? ok(clock)
    : warning(
        clock,
        `Let both keep time by NTP: the clocks of all replicas have to agree within ${TOLERANCE_MS} ms.`,
      );
}
