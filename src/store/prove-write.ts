import type { Kysely } from 'kysely';
import type { CommitObserver } from './writer-queue.ts';
import type { Database } from './schema.ts';
import { prepared } from './statements.ts';

/** The value differs each time: SQLite does not write a page that stays as it is. */
const stamp = prepared((db, { now }: { readonly now: number }) =>
  db
    .insertInto('counters')
    .values({ name: 'written_at', value: now })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: now })),
);

/** Writes something that means nothing; rejects when the store cannot write. */
export async function proveWrite(db: Kysely<Database>): Promise<void> {
  await stamp(db, { now: Date.now() });
}

/** For how long a commit proves that the store can write, in ms. */
const PROVEN_MS = 1000;

interface WriteProof extends CommitObserver {
  /** Fulfilled when something was committed lately and nothing has failed since, or once `write` is committed. */
  prove(write: () => Promise<void>): Promise<void>;
}

/** Knows from what is committed whether the store can write; tells `observer` of all as well. */
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
      // One for all who ask meanwhile.
      proof ??= write().finally(() => {
        proof = null;
      });
      await proof;
    },
  };
}
