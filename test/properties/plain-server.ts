import {
  GraphQLError,
  buildSchema,
  parse,
  subscribe,
  type ExecutionResult,
  type GraphQLFieldResolver,
} from 'graphql';
import { readFileSync } from 'node:fs';
import { isTerminal, type VisibleRecord } from '../../src/tasks/task.ts';
import type { GraphqlOperation } from '../kit/graphql.ts';

/** What a plain server looks at when it answers one subscriber. */
interface PlainWorld {
  /** Who asks. */
  readonly owner: string;
  /** Every change of every task, whoever it belongs to, in order of revision. */
  readonly changes: readonly VisibleRecord[];
  /** The newest revision when the subscriber came. */
  readonly newest: number;
}

/** One message to the subscriber: its payload as text, and the change that it tells; null for an error. */
export interface PlainAnswer {
  readonly change: VisibleRecord | null;
  readonly text: string;
}

type Context = PlainWorld & { readonly told: VisibleRecord[] };
type Watch = GraphQLFieldResolver<unknown, Context>;

const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));
const roots = schema.getSubscriptionType()?.getFields() ?? {};
Object.assign(roots['tasksUpdated'] ?? {}, { subscribe: tasksUpdated satisfies Watch });
Object.assign(roots['taskUpdated'] ?? {}, { subscribe: taskUpdated satisfies Watch });

/**
 * Everything that the simplest of all servers would send to one subscriber who sees every single change: one execution
 * for each, by GraphQL's own engine, with nothing shared, kept or skipped.
 */
export async function plainAnswers(
  { operationName, query, variables }: GraphqlOperation<unknown>,
  world: PlainWorld,
): Promise<readonly PlainAnswer[]> {
  const told: VisibleRecord[] = [];
  const stream = await subscribe({
    schema,
    document: parse(query),
    operationName,
    variableValues: variables,
    contextValue: { ...world, told },
  });
  if (!(Symbol.asyncIterator in stream)) return [{ change: null, text: textOf(stream) }];
  const texts: string[] = [];
  for await (const result of stream) texts.push(textOf(result));
  return texts.map((text, index) => ({ change: told[index] ?? null, text }));
}

function textOf({ errors, ...result }: ExecutionResult): string {
  if (!errors) return JSON.stringify(result);
  // What is wrong before any field is resolved is the fault of whoever asks, and is said to be.
  const told = errors.map((error) => ({
    ...error.toJSON(),
    ...(error.path ? {} : { extensions: { ...error.extensions, code: 'BAD_USER_INPUT' } }),
  }));
  return JSON.stringify({ errors: told, ...result });
}

function tasksUpdated(_root: unknown, { after }: { after?: number | null }, context: Context) {
  assertKnown(context, after);
  const floor = after ?? context.newest;
  return tell(context, 'tasksUpdated', ({ revision }) => revision > floor);
}

function taskUpdated(_root: unknown, args: { id: string; after?: number | null }, context: Context) {
  assertKnown(context, args.after);
  const { changes, newest, owner } = context;
  const own = changes.filter((change) => change.owner === owner);
  const found = own.find(({ id, providerTaskId }) => id === args.id || providerTaskId === args.id);
  if (!found) throw told(`You have no task "${args.id.slice(0, 100)}".`, 'NOT_FOUND');
  const life = own.filter(({ id }) => id === found.id);
  // It begins with the task as it is.
  const current = life.findLast(({ revision }) => revision <= newest)?.revision ?? 0;
  const floor = Math.max(args.after ?? 0, current - 1);
  return tell(context, 'taskUpdated', ({ id, revision }) => id === found.id && revision > floor);
}

async function* tell(
  { changes, owner, told }: Context,
  field: string,
  accepts: (change: VisibleRecord) => boolean,
) {
  for (const change of changes) {
    if (change.owner !== owner || !accepts(change)) continue;
    told.push(change);
    yield await Promise.resolve({ [field]: asShown(change) });
    if (field === 'taskUpdated' && isTerminal(change.state)) return;
  }
}

function assertKnown({ newest }: PlainWorld, after: number | null | undefined): void {
  if ((after ?? 0) <= newest) return;
  const range = `between 0 and the newest, ${newest}`;
  const message = `after: ${String(after)} is not a revision ${range}. Query tasks { revision } and start from it.`;
  throw told(message, 'BAD_USER_INPUT');
}

function told(message: string, code: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code } });
}

const RETRYABLE = [
  'RATE_LIMITED',
  'MAINTENANCE',
  'UNREACHABLE',
  'SERVER_ERROR',
  'PROVIDER_TIMEOUT',
  'GENERATION_FAILED',
];

/** A task with the fields that clients see. */
function asShown({ completedAt, createdAt, failure, updatedAt, videos, ...task }: VisibleRecord) {
  return {
    ...task,
    videos: videos.map(({ expiresAt, url }) => ({ url, expiresAt: expiresAt && time(expiresAt) })),
    failure: failure && {
      ...failure,
      retryable: RETRYABLE.includes(failure.code) && (task.creditsConsumed ?? 0) <= 0,
    },
    createdAt: time(createdAt),
    updatedAt: time(updatedAt),
    completedAt: completedAt && time(completedAt),
  };
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
