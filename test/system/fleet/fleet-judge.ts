import type { ApiTask } from '../../kit/documents.ts';
import type { FleetCreate, FleetQuery } from './fleet-provider.ts';

export interface KilledReplica {
  readonly name: string;
  readonly at: number;
}

/** What is wrong with how tasks ended, by what the provider knows. */
export function troublesOf(
  tasks: Iterable<ApiTask>,
  creates: readonly FleetCreate[],
  killed: KilledReplica,
): readonly string[] {
  const byPrompt = new Map<string, FleetCreate[]>();
  for (const create of creates) byPrompt.set(create.prompt, [...(byPrompt.get(create.prompt) ?? []), create]);
  const troubles: string[] = [];
  for (const task of tasks) {
    const trouble = troubleOf(task, byPrompt.get(task.prompt) ?? [], killed);
    if (trouble !== null) troubles.push(`${task.prompt} (${task.id}): ${trouble}`);
  }
  return troubles;
}

/** A subscriber of one task saw its end; only one that was concluded from silence may have given way since. */
export function sawTheEnd(seen: ApiTask | undefined, end: ApiTask | undefined): boolean {
  if (!seen || !end) return false;
  return seen.revision === end.revision || (isUnknown(seen) && seen.revision < end.revision);
}

export function isUnknown({ failure }: ApiTask): boolean {
  return failure?.code === 'SUBMISSION_UNKNOWN';
}

function troubleOf(task: ApiTask, creates: readonly FleetCreate[], killed: KilledReplica): string | null {
  const binding = creates.filter(({ fate }) => fate !== 'not now');
  if (binding.length > 1) return `${binding.length} create calls that could have been paid for`;
  const [create] = binding;
  // One that was put off may have been swept when its replica died; the wish that came again is another task.
  if (create && create.taskId !== task.id) return `a create call for ${create.taskId}`;
  const end = task.failure?.code ?? task.state;
  const possible = possibleEnds(create, creates, killed);
  return possible.includes(end)
    ? null
    : `it says ${end}, but ${JSON.stringify(create ?? 'nothing was created')}`;
}

/** Only what nobody can know may end as unknown: the answer was lost, or the one who waited for it was killed. */
function possibleEnds(
  create: FleetCreate | undefined,
  creates: readonly FleetCreate[],
  killed: KilledReplica,
): readonly string[] {
  const died = [create ?? creates.at(-1)].some((call) => call && wasInTheAir(call, killed));
  if (!create) return died ? ['SUBMISSION_UNKNOWN'] : [];
  if (create.fate === 'lost') return ['SUBMISSION_UNKNOWN'];
  // A callback and a query tell the same failure with different codes.
  const truth = create.end === 'SUCCESS' ? ['SUCCESS'] : ['GENERATION_FAILED', 'SERVER_ERROR'];
  const isHeardOf = create.callbacks > 0 || (create.isAnswered && !died);
  if (isHeardOf) return truth;
  return create.isAnswered ? [...truth, 'SUBMISSION_UNKNOWN'] : ['SUBMISSION_UNKNOWN'];
}

/** Its connection broke when the replica was killed, or so shortly before that the outcome may not have been stored. */
function wasInTheAir({ at, closedAt, replica }: FleetCreate, killed: KilledReplica): boolean {
  return replica === killed.name && at <= killed.at + 1000 && (closedAt ?? Infinity) > killed.at - 1000;
}

/** The most calls that there were within so many ms. */
export function busiest(calls: readonly { readonly at: number }[], windowMs: number): number {
  const times = calls.map(({ at }) => at).sort((a, b) => a - b);
  let most = 0;
  let start = 0;
  for (const [index, at] of times.entries()) {
    while ((times[start] ?? at) <= at - windowMs) start += 1;
    most = Math.max(most, index - start + 1);
  }
  return most;
}

/** Queries for one task by different replicas that overlap. */
export function queriedTwiceAtOnce(queries: readonly FleetQuery[]): readonly string[] {
  const found: string[] = [];
  const newest = new Map<string, FleetQuery>();
  for (const query of queries) {
    const before = newest.get(query.providerTaskId);
    if (before && before.replica !== query.replica && before.to > query.from)
      found.push(`${query.providerTaskId} by ${before.replica} and ${query.replica}`);
    newest.set(query.providerTaskId, query);
  }
  return found;
}
