import { isVisible, type VisibleRecord, type TaskRecord } from '../../src/tasks/task.ts';

/** What a task store is, said as simply as possible: a list in memory, with one writer after the other. */
export class StoreModel {
  readonly #records = new Map<string, TaskRecord>();
  /** Every announced state that was ever written, in the order in which it was. */
  readonly history: VisibleRecord[] = [];

  /** All tasks, in the order in which they were added. */
  all(): readonly TaskRecord[] {
    return [...this.#records.values()];
  }

  insert(record: TaskRecord): TaskRecord {
    const holder = this.all().find(
      ({ idempotencyKey, owner }) => owner === record.owner && idempotencyKey === record.idempotencyKey,
    );
    if (record.idempotencyKey !== null && holder) return holder;
    this.#records.set(record.id, record);
    return record;
  }

  /** `revision` is the one that the real store chose; the model only judges it. */
  save(next: TaskRecord, revision: number | null): VisibleRecord | null {
    if (!this.#isFresh(next) || revision === null) return null;
    const written = { ...next, revision, version: next.version + 1 };
    this.#records.set(next.id, written);
    this.history.push(written);
    return written;
  }

  amend(next: TaskRecord): TaskRecord | null {
    if (!this.#isFresh(next)) return null;
    const written = { ...next, version: next.version + 1 };
    this.#records.set(next.id, written);
    return written;
  }

  page(owner: string): VisibleRecord[] {
    return this.#visible(owner).sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
  }

  changesAfter(owner: string, revision: number): VisibleRecord[] {
    return this.#visible(owner)
      .filter((record) => record.revision > revision)
      .sort((a, b) => a.revision - b.revision);
  }

  #isFresh(next: TaskRecord): boolean {
    return this.#records.get(next.id)?.version === next.version;
  }

  #visible(owner: string): VisibleRecord[] {
    return this.all()
      .filter(isVisible)
      .filter((record) => record.owner === owner);
  }
}
