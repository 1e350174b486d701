import { useSyncExternalStore } from 'react';

/** A value that changes, and tells whoever listens. */
export interface Value<T> {
  get(): T;
  set(next: T): void;
  /** Calls `listen` after each change; returns how to stop. */
  subscribe(listen: () => void): () => void;
}

export function createValue<T>(first: T): Value<T> {
  let current = first;
  const listeners = new Set<() => void>();
  return {
    get: () => current,
    set(next) {
      if (Object.is(next, current)) return;
      current = next;
      for (const listen of listeners) listen();
    },
    subscribe(listen) {
      listeners.add(listen);
      return () => listeners.delete(listen);
    },
  };
}

/** The value as it is, in a component that is shown anew whenever it changes. */
export function useValue<T>({ get, subscribe }: Pick<Value<T>, 'get' | 'subscribe'>): T {
  return useSyncExternalStore(subscribe, get);
}
