import type { Group } from './group.ts';

/** Results as JSON in UTF-8, by their group and the revision of their change. */
export interface Results {
  get(group: Group, revision: number): Uint8Array | undefined;
  keep(group: Group, revision: number, json: Uint8Array): void;
  forget(group: Group, revision: number): void;
  clear(): void;
}

/** What goes with its last member: a group that is gone leaves nothing here. */
type Generation = WeakMap<Group, Map<number, Uint8Array>>;

/** What one takes in memory beside its text, in bytes. */
const OVERHEAD = 256;

/**
 * Keeps results of all groups in `maxBytes` of memory together, but in any case the last one. Those that nobody asked for
 * lately give way, many at once: keeping an order of single ones would cost each member of each change.
 */
export function createResults(maxBytes: number): Results {
  let young: Generation = new WeakMap();
  let old: Generation = new WeakMap();
  let bytes = 0;

  function keep(group: Group, revision: number, json: Uint8Array): void {
    bytes += json.length + OVERHEAD;
    if (bytes > maxBytes / 2) {
      old = young;
      young = new WeakMap();
      bytes = json.length + OVERHEAD;
    }
    const own = young.get(group) ?? new Map<number, Uint8Array>();
    young.set(group, own.set(revision, json));
  }

  return {
    get(group, revision) {
      const known = young.get(group)?.get(revision);
      if (known) return known;
      const last = old.get(group)?.get(revision);
      if (last) keep(group, revision, last);
      return last;
    },
    keep,
    forget(group, revision) {
      young.get(group)?.delete(revision);
      old.get(group)?.delete(revision);
    },
    clear() {
      young = new WeakMap();
      old = new WeakMap();
      bytes = 0;
    },
  };
}
