import { randomUUID } from 'node:crypto';
import type { TaskPorts } from './ports.ts';
import type { CreateOutcome } from './provider.ts';
import { settleSubmission } from './settle-submission.ts';
import type { TaskRecord } from './task.ts';
import { startWorker, type Worker } from './worker.ts';

/** The tasks whose create call this process has begun and whose outcome is not stored yet. */
export type InFlight = Set<string>;

/** Sends waiting tasks to the provider as the create limit allows, and writes down what became of each call. */
export function startSubmitter(
  ports: TaskPorts,
  { abandoned, inFlight }: { readonly abandoned: AbortSignal; readonly inFlight: InFlight },
): Worker {
  const { clock, log, processId, store, timings } = ports;
  let attempt = randomUUID();
  const worker = startWorker({
    name: 'submitter',
    clock,
    log,
    idleMs: timings.idleLook,
    claim: async () => {
      const claim = await store.takeTurns({
        now: clock.now,
        elapsed: clock.elapsed,
        processId,
        attempt,
        limit: timings.createsPerWindow,
        windowMs: timings.createWindow,
        checkAfterMs: timings.createTimeout + timings.markMargin,
      });
      // Only now: when the call was rejected, its marks may be there all the same.
      attempt = randomUUID();
      return claim;
    },
    work: async (record) => {
      inFlight.add(record.id);
      const outcome = await submitTask(ports, record, abandoned).finally(() => inFlight.delete(record.id));
      // It waits its turn again, for a time that the last look could not know of.
      if (outcome.kind === 'not-now') worker.wake();
    },
  });
  return worker;
}

/** `record` carries its mark: this is the one call that may be made for it. */
async function submitTask(
  ports: TaskPorts,
  record: TaskRecord,
  abandoned: AbortSignal,
): Promise<CreateOutcome> {
  const { clock, log } = ports;
  const begun = clock.now();
  const outcome = await callOnce(ports, record);
  const attempt = record.notNowCount + 1;
  const line = { task: record.id, attempt, ...told(outcome), ms: clock.now() - begun };
  log.info(line, 'isHeldBack' in outcome ? 'create call held back' : 'create call ended');
  await persist(ports, record.id, abandoned, () => settleSubmission(ports, record, outcome));
  return outcome;
}

/** What the log tells of an outcome. */
function told(outcome: CreateOutcome): object {
  const { kind } = outcome;
  if (kind === 'accepted') return { outcome: kind, providerTaskId: outcome.providerTaskId };
  if (kind === 'unknown') return { outcome: kind, reason: outcome.reason };
  const { code, providerCode } = outcome.failure;
  return { outcome: kind, code, providerCode };
}

async function callOnce(
  { provider, callbackAddress }: TaskPorts,
  record: TaskRecord,
): Promise<CreateOutcome> {
  try {
    return await provider.createTask(record, callbackAddress.urlFor(record.id));
  } catch (error) {
    // By its contract it does not throw; if it does, nobody knows how far the call went.
    return { kind: 'unknown', reason: String(error) };
  }
}

/** An outcome exists only here until the store has it, so it is written until that succeeds. */
async function persist(
  { clock, log, timings }: TaskPorts,
  task: string,
  abandoned: AbortSignal,
  write: () => Promise<void>,
): Promise<void> {
  while (!abandoned.aborted) {
    try {
      await write();
      return;
    } catch (error) {
      log.error({ err: error, task }, 'the store did not take the outcome of a create call; trying again');
      await new Promise<void>((resolve) => clock.after(timings.outcomeLook, resolve));
    }
  }
}
