import type { UploadStore } from '../../src/images/upload.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import { TASK_STATES } from '../../src/tasks/task.ts';
import { HISTORY } from './filled-store.ts';
import { NOW, PROCESS, hiddenTask } from './records.ts';

type Store = TaskStore & UploadStore;

const UPLOAD = { bytes: 1, contentType: 'image/png', expiresAt: NOW, height: 1, url: 'u', width: 1 } as const;

const turns = (attempt: string) => ({
  now: () => NOW,
  processId: PROCESS,
  attempt,
  limit: 300,
  windowMs: 10_000,
  checkAfterMs: 90_000,
});

async function found(store: Store) {
  const task = await store.get('done-1');
  if (!task) throw new Error('the store is not filled');
  return task;
}

/** Every method of the store, called in every way that makes another statement. The type asks for new ones. */
export const EXERCISES: Readonly<Record<keyof Store, (store: Store) => Promise<unknown>>> = {
  async insert(store) {
    const [fresh] = [
      hiddenTask({ id: 'fresh', idempotencyKey: 'fresh' }),
      await store.insert(hiddenTask({ id: 'new' })),
    ];
    await store.insert({ ...fresh, idempotencyKey: 'done-key-1' });
    await store.insert({ ...fresh, id: 'done-1', idempotencyKey: null });
    await store.insert(fresh, [{ limit: 100, windowMs: 86_400_000 }]);
  },
  get: found,
  getByKey: (store) => store.getByKey('ann', 'done-key-7'),
  save: async (store) => store.save(await found(store)),
  amend: async (store) => store.amend(await found(store)),
  async find(store) {
    for (const owner of ['ann', 'bob'])
      for (const id of ['done-5', 'kie-5', 'nope']) await store.find(owner, id);
  },
  async page(store) {
    for (const states of [[], ...TASK_STATES.map((state) => [state]), TASK_STATES])
      for (const below of [null, { createdAt: NOW - 10_000_000, id: 'done-10000' }])
        await store.page('ann', { limit: 101, below, states });
  },
  changesAfter: (store) => store.changesAfter('ann', HISTORY, 100),
  newestRevision: (store) => store.newestRevision(),
  async claimSubmissions(store) {
    await store.claimSubmissions(turns('one'));
    await store.claimSubmissions(turns('one'));
  },
  waitingByOwner: (store) => store.waitingByOwner(),
  async holderOf(store) {
    for (const id of ['kie-5', 'nope']) await store.holderOf(id);
  },
  queue: (store) => store.queue(NOW),
  newestDurations: (store) => store.newestDurations(50),
  claimDue: (store) => store.claimDue({ now: () => NOW + 50, leaseMs: 1000, limitPerSecond: 40 }),
  takeOver: (store) => store.takeOver(NOW),
  clockWentBack: (store) => store.clockWentBack(NOW),
  sweepOrphans: (store) => store.sweepOrphans(NOW),
  sweep: (store) => store.sweep({ refusedBefore: NOW - 4_990_000, slotsBefore: NOW - 599_000, now: NOW }),
  sweepEnded: (store) => store.sweepEnded({ endedBefore: NOW - 19_900_000, limit: 10 }),
  follow: (store) => store.follow(),
  secret: (store) => store.secret('callback'),
  writeLag: (store) => Promise.resolve(store.writeLag()),
  ping: (store) => store.ping(),
  findUpload: (store) => store.findUpload('ann', 'hash-5', NOW),
  isUploaded: (store) => store.isUploaded('https://files.example/5', NOW),
  saveUpload: (store) => store.saveUpload('ann', { ...UPLOAD, hash: 'hash-5' }),
  close: () => Promise.resolve(),
};
