import { describe, expect, it } from 'vitest';
import { API_KEYS, ASK_DOORS, bearer, http, refusalOf, tooFast, type Owner } from './asking.ts';
import { quickDir } from '../kit/gateway.ts';
import { type ApiCreateResult, CREATE, TASKS, input } from '../kit/documents.ts';
import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { created, notVisibleYet, refused } from '../kit/kie.ts';
import { startWithProvider } from '../webhooks/called-back.ts';
import { createStandingClock, type StandingClock } from '../webhooks/standing-clock.ts';

type Env = Readonly<Record<string, string>>;
type Fields = Parameters<typeof input>[0];

interface Capped {
  readonly url: string;
  readonly clock: StandingClock;
  readonly provider: FakeProvider;
  close(): Promise<void>;
}

const CAPS = [
  { name: 'MAX_CREATES_PER_MINUTE', windowS: 60 },
  { name: 'MAX_CREATES_PER_DAY', windowS: 86_400 },
];

/** A gateway whose time stands still, and a provider that takes everything. */
async function start(env: Env, options: { clock?: StandingClock; dataDir?: string } = {}): Promise<Capped> {
  const { clock = createStandingClock(), dataDir = await quickDir() } = options;
  const provider = await startFakeProvider();
  provider.always('createTask', ({ order }) => created(`kie-${order}`));
  provider.always('recordInfo', notVisibleYet());
  const { gateway } = await startWithProvider({
    provider,
    dataDir,
    env: { API_KEYS, KIE_CREATES_PER_10S: '1000', ...env },
    overrides: { clock },
  });
  return { url: gateway.graphqlUrl, clock, provider, close: () => gateway.close() };
}

function ask({ url }: Capped, owner: Owner, fields: Fields = {}) {
  return http.ask(url, { query: CREATE, variables: { input: input(fields) } }, owner);
}

/** Creates what must be answered without an error. */
async function create(capped: Capped, owner: Owner, fields: Fields = {}): Promise<ApiCreateResult> {
  const { createImageToVideo } = dataOf((await ask(capped, owner, fields)).result);
  return createImageToVideo as ApiCreateResult;
}

async function countOf({ url }: Capped, owner: Owner): Promise<number> {
  const { body } = await graphql(url, TASKS, { first: 100 }, bearer(owner));
  return dataOf(body).tasks.edges.length;
}

describe.each(CAPS)('$name', ({ name, windowS }) => {
  it('refuses one task more over each door, stores nothing, and sends nothing', async () => {
    const capped = await start({ [name]: '2' });
    await create(capped, 'ann');
    await create(capped, 'ann');
    for (const door of ASK_DOORS) {
      const told = await door.ask(capped.url, { query: CREATE, variables: { input: input() } }, 'ann');
      const status = door.name === 'WebSocket' ? null : 429;
      expect(refusalOf(told)).toEqual(tooFast(status, windowS));
    }
    expect([await countOf(capped, 'ann'), capped.provider.requests('createTask').length]).toEqual([2, 2]);
  });

  it('takes a task again when the oldest has left the window, and no second one', async () => {
    const capped = await start({ [name]: '2' });
    await create(capped, 'ann');
    capped.clock.advance(10_000);
    await create(capped, 'ann');
    capped.clock.advance((windowS - 10) * 1000 - 1);
    expect(refusalOf(await ask(capped, 'ann'))).toMatchObject({ extensions: { retryAfter: 1 } });
    capped.clock.advance(1);
    await create(capped, 'ann');
    expect(refusalOf(await ask(capped, 'ann'))).toMatchObject({ extensions: { retryAfter: 10 } });
  });

  it('does not hold another owner up', async () => {
    const capped = await start({ [name]: '1' });
    await create(capped, 'ann');
    expect(await create(capped, 'bob')).toMatchObject({ __typename: 'CreateImageToVideoSuccess' });
  });

  it('still answers a twin with its task, and another wish under its key with a conflict', async () => {
    const capped = await start({ [name]: '1' });
    const first = await create(capped, 'ann', { idempotencyKey: 'key' });
    expect(await create(capped, 'ann', { idempotencyKey: 'key' })).toEqual(first);
    const other = await create(capped, 'ann', { idempotencyKey: 'key', prompt: 'another wish' });
    expect(other).toMatchObject({ __typename: 'IdempotencyConflictError' });
    const unknown = await ask(capped, 'ann', { idempotencyKey: 'another key' });
    expect(refusalOf(unknown)).toMatchObject({ extensions: { code: 'RATE_LIMITED' } });
  });

  it('leaves a key free that came with a refused wish', async () => {
    const capped = await start({ [name]: '1' });
    await create(capped, 'ann');
    await ask(capped, 'ann', { idempotencyKey: 'key' });
    capped.clock.advance(windowS * 1000);
    const later = await create(capped, 'ann', { idempotencyKey: 'key', prompt: 'another wish' });
    expect(later).toMatchObject({ task: { prompt: 'another wish' } });
  });

  it('counts no wish that is invalid', async () => {
    const capped = await start({ [name]: '1' });
    expect(await create(capped, 'ann', { prompt: '' })).toMatchObject({ __typename: 'ValidationError' });
    expect(await create(capped, 'ann')).toMatchObject({ __typename: 'CreateImageToVideoSuccess' });
  });

  it('counts what the provider refused, which it was asked for', async () => {
    const capped = await start({ [name]: '1' });
    capped.provider.answer('createTask', refused(402, 'top up'));
    expect(await create(capped, 'ann')).toMatchObject({ __typename: 'ProviderError' });
    expect(refusalOf(await ask(capped, 'ann'))).toMatchObject({ extensions: { code: 'RATE_LIMITED' } });
  });

  it('takes exactly as many of what comes at the same moment', async () => {
    const capped = await start({ [name]: '5' });
    const told = await Promise.all(Array.from({ length: 20 }, () => ask(capped, 'ann')));
    expect(told.filter(({ result }) => result.errors === undefined)).toHaveLength(5);
    expect([await countOf(capped, 'ann'), capped.provider.requests('createTask').length]).toEqual([5, 5]);
  });

  it('is not forgotten over a restart', async () => {
    const clock = createStandingClock();
    const dataDir = await quickDir();
    const first = await start({ [name]: '1' }, { clock, dataDir });
    await create(first, 'ann');
    await first.close();
    const second = await start({ [name]: '1' }, { clock, dataDir });
    expect(refusalOf(await ask(second, 'ann'))).toMatchObject({ extensions: { retryAfter: windowS } });
  });

  it('is off when unset', async () => {
    const capped = await start({});
    await Promise.all(Array.from({ length: 30 }, () => create(capped, 'ann')));
    expect(await countOf(capped, 'ann')).toBe(30);
  });
});

it('an owner who has reached both caps is told when the last of them lets a task through', async () => {
  const capped = await start({ MAX_CREATES_PER_MINUTE: '1', MAX_CREATES_PER_DAY: '1' });
  await create(capped, 'ann');
  expect(refusalOf(await ask(capped, 'ann'))).toMatchObject({ extensions: { retryAfter: 86_400 } });
});
