import { sql, type Kysely } from 'kysely';
import { describe, expect, it } from 'vitest';
import { DEFAULT_MODEL, withDefaults } from '../../src/models/index.ts';
import type { Database } from '../../src/store/schema.ts';
import { NOW, PROVIDER, claimSubmissions, hiddenTask, idsOf, insertVisible } from './records.ts';
import { VIDEO, claimCopies } from './copy-records.ts';
import { STORES } from './stores.ts';

const OTHER = {
  model: 'kling-2.6/image-to-video',
  options: { ...withDefaults(DEFAULT_MODEL), sound: true },
};

/** As version 0.1.0 inserts a task that is visible and not sent. */
const INSERT = `insert into tasks
  (id, owner, state, revision, model, prompt, image_url, videos, timeline, created_at, updated_at, input_hash, submit_at,
    not_now_count, version)
  values ('old', 'ann', 'SUBMITTING', 1, '${DEFAULT_MODEL.name}', 'snow', 'https://files.example/1.png', '[]', '[]', ${NOW}, ${NOW},
    'hash', ${NOW}, 0, 0)`;

/** Which tasks version 0.1.0 finds due, at any time that it may reach. */
const DUE = `select id from tasks where state = 'SUBMITTING' and marked_at is null and unknown_since is null
  and refusal is null and (revision is not null or submit_lease_by = 'process-1') and submit_at <= ${NOW + 1e12}`;

async function run(db: Kysely<Database>, statement: string): Promise<readonly unknown[]> {
  return (await sql.raw(statement).execute(db)).rows;
}

describe.each(STORES)('$name, with a replica of version 0.1.0,', ({ open }) => {
  it('gives its tasks the provider and the options of the default model', async () => {
    const { connections, store } = await open();
    await run(connections.writer, INSERT);
    expect(await store.get('old')).toEqual({
      ...hiddenTask({ submitLeaseBy: null, submitLeaseUntil: null }),
      id: 'old',
      revision: 1,
      prompt: 'snow',
      imageUrl: 'https://files.example/1.png',
      timeline: [],
      provider: PROVIDER,
      options: { durationSeconds: 6, resolution: 'P1080', sound: null, negativePrompt: null, seed: null },
    });
    const { records } = await claimSubmissions(store);
    expect(idsOf(records)).toEqual(['old']);
  });

  it('shows it no task of another model as due, also after the clock went back', async () => {
    const { connections, store } = await open();
    const mine = await insertVisible(store);
    const other = await insertVisible(store, OTHER);
    const delayed = await insertVisible(store, { ...OTHER, submitAt: NOW + 5000 });
    expect(await run(connections.reader, DUE)).toEqual([{ id: mine.id }]);
    await store.clockWentBack(NOW);
    expect(await run(connections.reader, DUE)).toEqual([{ id: mine.id }]);
    const { records } = await claimSubmissions(store, { limit: 9 });
    expect(idsOf(records).sort()).toEqual([mine.id, other.id, delayed.id].sort());
  });

  it('copies the videos of its tasks', async () => {
    const { connections, store } = await open();
    await run(connections.writer, INSERT);
    // As it writes a success.
    const videos = JSON.stringify([VIDEO]);
    await run(
      connections.writer,
      `update tasks set state = 'SUCCESS', videos = '${videos}', completed_at = ${NOW}, version = 1`,
    );
    const { records } = await claimCopies(store);
    expect(records).toMatchObject([{ id: 'old', videos: [VIDEO] }]);
  });

  it('counts its rate slots', async () => {
    const { connections, store } = await open();
    await insertVisible(store);
    await run(
      connections.writer,
      `insert into slots (kind, owner, taken_at) values ('create', 'ann', ${NOW})`,
    );
    expect(await claimSubmissions(store, { limit: 1 })).toEqual({ records: [], nextAt: NOW + 10_000 });
  });
});
