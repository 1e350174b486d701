import { sql, type Kysely } from 'kysely';
import type { CommitObserver } from './writer-queue.ts';
import type { Database } from './schema.ts';
import { prepared, storeRead } from './statements.ts';

/** Rejects with StoreUnavailableError if tasks cannot be read. */
export function testRead(db: Kysely<Database>): Promise<void> {
  return storeRead(async () => {
    await sql`select 1 from tasks where id = ''`.execute(db);
  });
}

/** The value changes each time, because SQLite does not write an unchanged page. */
const stamp = prepared((db, { now }: { readonly now: number }) =>
  db
    .insertInto('counters')
    .values({ name: 'written_at', value: now })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: now })),
);

/** Writes a timestamp that nothing reads; rejects if the store cannot write. */
export async function testWrite(db: Kysely<Database>): Promise<void> {
  await stamp(db, { now: Date.now() });
}

/** How long a commit counts as proof that the store can write, in ms. */
const PROVEN_MS = 1000;

interface WriteProof extends CommitObserver {
  /** Resolves if there was a commit lately and no failure since; otherwise once `write` is committed. */
  prove(write: () => Promise<void>): Promise<void>;
}

/** Learns from commits whether the store can write. Passes every event on to `observer`. */
export function createWriteProof(observer: CommitObserver | null): WriteProof {
  let provenAt: number | null = null;
  let proof: Promise<void> | null = null;

  return {
    committed(ms, writes) {
      provenAt = performance.now();
      observer?.committed(ms, writes);
    },
    failed() {
      provenAt = null;
      observer?.failed();
    },
    async prove(write) {
      if (provenAt !== null && performance.now() - provenAt < PROVEN_MS) return;
      // Concurrent callers share one write.
      proof ??= write().finally(() => {
        proof = null;
      });
      await proof;
    },
  };
}
