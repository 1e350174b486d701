import { NOW } from './records.ts';

/** How long the history of one owner is. */
export const HISTORY = 20_000;
/** How many tasks the provider refused within a day: hidden, and not deleted yet. */
const REFUSED = 5_000;
/** How many tasks are under way. */
const UNFINISHED = 200;

const COLUMNS = `id, owner, state, revision, model, prompt, image_url, videos, provider_task_id, created_at, updated_at,
  completed_at, idempotency_key, input_hash, submit_at, not_now_count, marked_at, refusal, next_check_at, version`;

/** `count` rows of tasks; the expressions may use `i`. The same SQL for both databases. */
const tasks = (count: number, name: string, row: Readonly<Record<string, string>>): string => {
  const values: Readonly<Record<string, string>> = {
    id: `'${name}-' || i`,
    owner: "'ann'",
    revision: 'null',
    model: "'model'",
    prompt: "'slow push-in'",
    image_url: "'https://files.example/first.png'",
    videos: "'[]'",
    provider_task_id: 'null',
    created_at: `${NOW} - i * 1000`,
    updated_at: `${NOW} - i * 1000`,
    completed_at: 'null',
    idempotency_key: `'${name}-key-' || i`,
    input_hash: "'hash'",
    submit_at: `${NOW}`,
    not_now_count: '0',
    marked_at: 'null',
    refusal: 'null',
    next_check_at: 'null',
    version: '0',
    ...row,
  };
  const expressions = COLUMNS.split(',').map((column) => values[column.trim()]);
  return `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count})
    insert into tasks (${COLUMNS}) select ${expressions.join(', ')} from n`;
};

/** One owner with almost all there is, as after years of work. */
export const FILL: readonly string[] = [
  tasks(HISTORY, 'done', {
    state: "case when i % 10 = 0 then 'FAIL' else 'SUCCESS' end",
    revision: 'i',
    provider_task_id: "'kie-' || i",
    completed_at: `${NOW} - i * 1000`,
    marked_at: `${NOW} - i * 1000`,
  }),
  tasks(UNFINISHED, 'busy', {
    state: "case when i % 2 = 0 then 'WAITING' else 'GENERATING' end",
    revision: `${HISTORY} + i`,
    provider_task_id: "'busy-kie-' || i",
    marked_at: `${NOW}`,
    next_check_at: `${NOW} + i`,
  }),
  tasks(REFUSED, 'refused', {
    state: "'SUBMITTING'",
    idempotency_key: 'null',
    marked_at: `${NOW}`,
    refusal: `'{"code":"SERVER_ERROR","providerCode":"500","message":"no"}'`,
  }),
  tasks(20, 'waiting', { state: "'SUBMITTING'", owner: "'owner-' || i", revision: `${2 * HISTORY} + i` }),
  `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${HISTORY})
    insert into slots (kind, owner, taken_at)
      select case when i % 5 = 0 then 'create' else 'query' end, 'ann', ${NOW} - i * 30 from n`,
  `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${HISTORY})
    insert into uploads (owner, hash, url, content_type, width, height, bytes, expires_at)
      select 'ann', 'hash-' || i, 'https://files.example/' || i, 'image/png', 400, 400, 1000, ${NOW} + i * 1000 from n`,
  `update counters set value = ${3 * HISTORY} where name = 'revision'`,
];
