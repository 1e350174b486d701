import { InMemoryCache, type Reference, type StoreObject, type TypePolicy } from '@apollo/client';

type Stored = Reference | StoreObject;

/**
 * The larger revision wins, whichever way a task comes: the answer to a query or mutation may arrive after a newer event.
 * What only the older one has is kept as well, and what comes without a revision counts as older.
 */
const Task: TypePolicy = {
  merge: (existing: Stored, incoming: Stored, { isReference, mergeObjects, readField }): Stored => {
    if (isReference(incoming)) return incoming;
    const isOlder =
      (readField<number>('revision', incoming) ?? 0) < (readField<number>('revision', existing) ?? 0);
    return isOlder ? mergeObjects(incoming, existing) : mergeObjects(existing, incoming);
  },
  // Of objects with an id, Apollo asks `merge` only when one of their fields has a merge function as well.
  fields: { revision: { merge: (_existing, incoming: number) => incoming } },
};

export function createCache(): InMemoryCache {
  return new InMemoryCache({
    typePolicies: { Task },
    possibleTypes: { UserError: ['ValidationError', 'ProviderError', 'IdempotencyConflictError'] },
  });
}
