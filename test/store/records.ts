import { DEFAULT_MODEL, withDefaults } from '../../src/models/index.ts';
import type { Upload } from '../../src/images/upload.ts';
import type { TaskFailure } from '../../src/tasks/failure.ts';
import { randomUUID } from 'node:crypto';
import type { Claim, TaskStore } from '../../src/tasks/store.ts';
import type { VisibleRecord, TaskRecord } from '../../src/tasks/task.ts';

/** The moment around which these tests take place. */
export const NOW = 1_763_798_400_000;

/** The process that owns hidden tasks unless a test says otherwise. */
const PROCESS = 'process-1';

/** Whose tasks and limits these tests use unless they say otherwise. */
export const PROVIDER = 'kie';

export const FAILURE: TaskFailure = { code: 'SERVER_ERROR', providerCode: '500', message: 'It broke.' };

let made = 0;

/** A task as it is stored first: hidden, leased by its process and not sent. */
export function hiddenTask(fields: Partial<TaskRecord> = {}): TaskRecord {
  made += 1;
  return {
    // Padded: ids break ties between tasks of the same time, and other files count on before this one.
    id: `task-${String(made).padStart(6, '0')}`,
    owner: 'ann',
    state: 'SUBMITTING',
    revision: null,
    model: DEFAULT_MODEL.name,
    prompt: 'slow push-in, snow falling',
    imageUrl: 'https://files.example/first.png',
    endImageUrl: null,
    promptOptimizer: null,
    options: withDefaults(DEFAULT_MODEL),
    provider: PROVIDER,
    videos: [],
    failure: null,
    providerTaskId: null,
    creditsConsumed: null,
    createdAt: NOW,
    updatedAt: NOW,
    completedAt: null,
    expectedAt: null,
    timeline: [{ state: 'SUBMITTING', at: NOW, source: 'GATEWAY' }],
    idempotencyKey: null,
    inputHash: 'hash',
    submitLeaseBy: PROCESS,
    submitLeaseUntil: NOW + 25_000,
    submitAt: NOW,
    notNowCount: 0,
    notNowSince: null,
    markedAt: null,
    unknownSince: null,
    refusal: null,
    unverifiedProviderTaskId: null,
    lastWords: null,
    nextCheckAt: null,
    checkLeaseUntil: null,
    archiveAt: 0,
    version: 0,
    ...fields,
  };
}

/** Stores a task and leaves it hidden. */
export function insertHidden(store: TaskStore, fields: Partial<TaskRecord> = {}): Promise<TaskRecord> {
  return store.insert(hiddenTask(fields));
}

/** Stores a task and makes it visible. */
export async function insertVisible(
  store: TaskStore,
  fields: Partial<TaskRecord> = {},
): Promise<VisibleRecord> {
  return saved(store, await insertHidden(store, fields));
}

/** Saves a record that has no other writer. */
export async function saved(store: TaskStore, next: TaskRecord): Promise<VisibleRecord> {
  const written = await store.save(next);
  if (!written) throw new Error(`task ${next.id} was written by somebody else`);
  return written;
}

/** Amends a record that has no other writer. */
export async function amended(store: TaskStore, next: TaskRecord): Promise<TaskRecord> {
  const written = await store.amend(next);
  if (!written) throw new Error(`task ${next.id} was written by somebody else`);
  return written;
}

export function idsOf(records: readonly TaskRecord[]): string[] {
  return records.map(({ id }) => id);
}

type ClaimChanges = Partial<Omit<Parameters<TaskStore['claimSubmissions']>[0], 'now'>> & {
  readonly now?: number;
};

/** Claims submissions at NOW in a new attempt, with two slots in ten seconds, unless `changes` say otherwise. */
export function claimSubmissions(
  store: TaskStore,
  { now = NOW, ...changes }: ClaimChanges = {},
): Promise<Claim> {
  return store.claimSubmissions({
    now: () => now,
    limit: 2,
    processId: PROCESS,
    provider: PROVIDER,
    attempt: randomUUID(),
    windowMs: 10_000,
    checkAfterMs: 90_000,
    ...changes,
  });
}

/** Claims due polls at `now`, for half a minute. */
export function claimDue(
  store: TaskStore,
  now = NOW,
  limitPerSecond = 10,
  provider = PROVIDER,
): Promise<Claim> {
  return store.claimDue({ now: () => now, leaseMs: 30_000, limitPerSecond, provider });
}

/** An upload that a store may hold. */
export function upload(fields: Partial<Upload> = {}): Upload {
  return {
    url: 'https://files.example/kineograph/1.png',
    expiresAt: NOW + 1000,
    contentType: 'image/png',
    width: 400,
    height: 320,
    bytes: 12_345,
    hash: 'hash-1',
    ...fields,
  };
}
