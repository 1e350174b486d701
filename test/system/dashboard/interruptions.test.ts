import { expect, test } from 'vitest';
import { startGateway, temporaryDir } from '../../kit/gateway.ts';
import { created, credit, notVisibleYet, record, succeeded } from '../../kit/kie.ts';
import { freePort, startBuilt } from '../../kit/process.ts';
import { startFakeProvider } from '../../kit/provider.ts';
import { openSqliteStore } from '../../kit/store.ts';
import { startTcpProxy } from '../../kit/tcp-proxy.ts';
import { deferred, oncePerFile } from '../../kit/waits.ts';
import { addTask } from '../../websocket/stored-tasks.ts';
import { launchBrowser, openPage, PATIENCE, useDashboard } from '../../kit/browser.ts';
import { createTask, servedBy, tokenOf } from '../client.ts';

const KEY = '0123456789abcdef0123456789abcdef';
const BENS_KEY = 'fedcba9876543210fedcba9876543210';
const JWT_SECRET = 'a-secret-of-the-tests-with-more-than-32-characters';
const COUNT = 70;

const { browser, closed, full, provider, taskId } = await oncePerFile(async () => {
  const provider = await startFakeProvider();
  provider.always('credit', credit(60.5));
  provider.always('recordInfo', notVisibleYet());
  const DATA_DIR = await temporaryDir();
  const { id } = await fillStore(DATA_DIR);
  return {
    browser: await launchBrowser(),
    provider,
    taskId: id,
    full: await startBuilt({ ...servedBy(provider), DATA_DIR }),
    closed: await startBuilt({
      DATA_DIR: await temporaryDir(),
      API_KEYS: `ada:${KEY},ben:${BENS_KEY}`,
      JWT_SECRET,
    }),
  };
})();

/** Many tasks, some of which have failed; returns the oldest one. */
async function fillStore(dataDir: string) {
  const store = await openSqliteStore(dataDir);
  const oldest = await addTask(store, { prompt: 'w'.repeat(300), createdAt: Date.now() - 1_000_000 });
  for (let index = 1; index < COUNT; index += 1)
    await addTask(store, {
      prompt: `video number ${index}.`,
      createdAt: Date.now() - 1_000_000 + index,
      ...(index % 10 === 0 && {
        state: 'FAIL',
        completedAt: Date.now(),
        failure: { code: 'EXPIRED', providerCode: null, message: 'too late' },
      }),
    });
  await store.close();
  return oldest;
}

async function open(url: string, options: Parameters<typeof openPage>[2] = {}) {
  const opened = await openPage(browser, url, options);
  return { ...opened, ...useDashboard(opened.page) };
}

test('many videos are loaded as one scrolls, newest first, and can be filtered and searched', async () => {
  const { audit, cards, connected, page } = await open(full.url);
  await connected('live');
  await page.getByText('Credits: 60.5').waitFor();
  const list = page.locator('li.task');
  await list.first().waitFor();
  expect(await list.count()).toBeLessThan(COUNT);
  expect(await list.first().innerText()).toContain('video number 69.');
  const scrolled = async (): Promise<number> => {
    await list.last().scrollIntoViewIfNeeded();
    return list.count();
  };
  await expect.poll(scrolled, PATIENCE).toBe(COUNT);
  expect(await list.last().innerText()).toContain('wwwww');

  await page.getByLabel('Search the loaded prompts').fill('NUMBER 4');
  await expect.poll(() => list.count(), PATIENCE).toBe(11);
  await page.getByLabel('Search the loaded prompts').fill('nothing like it');
  await page.getByText('Nothing fits the filter.').waitFor();
  await page.getByLabel('Search the loaded prompts').fill('');
  await page.getByLabel('Show').selectOption('FAIL');
  await expect.poll(() => list.count(), PATIENCE).toBe(6);

  await cards('video number 60.').getByRole('button', { name: 'Create it again' }).click();
  await page.getByText('may be charged a second time').waitFor();
  expect(await audit()).toEqual([]);
  await page.getByRole('button', { name: 'No', exact: true }).click();
  expect(provider.requests('createTask')).toEqual([]);

  provider.answer('createTask', created('kie-new'));
  await createTask(full.graphqlUrl, { prompt: 'quite new' });
  await page.getByLabel('Show').selectOption('');
  await expect.poll(() => list.first().innerText(), PATIENCE).toContain('quite new');
});

test.each(['light', 'dark'] as const)(
  'every view is accessible in %s colours and fits wide and narrow screens',
  async (colorScheme) => {
    for (const path of ['/', `/tasks/${taskId}`]) {
      const { audit, connected, page } = await open(full.url + path, { colorScheme });
      await connected('live');
      await page.getByText('so far').first().waitFor();
      for (const width of [1280, 320]) {
        await page.setViewportSize({ width, height: 800 });
        expect(await audit()).toEqual([]);
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      }
    }
  },
);

test('a gateway that is killed and started again is caught up with, without a reload', async () => {
  const kie = await startFakeProvider();
  kie.answer('createTask', created('kie-1'), created('kie-2'));
  let tell = record;
  kie.always('recordInfo', ({ query }) => tell(query['taskId'] ?? ''));
  const PORT = String(await freePort());
  const env = { DATA_DIR: await temporaryDir(), KIE_API_KEY: 'a-key', KIE_API_URL: kie.url, PORT };
  const first = await startBuilt(env);
  const { connected, create, fill, reaches } = await open(first.url);
  await connected('live');
  await fill('killed on the way');
  await create();
  await reaches('killed on the way', 'WAITING');

  await first.end('SIGKILL');
  await connected('reconnecting');
  tell = (id) => succeeded(id);
  const second = await startBuilt(env);
  await connected('live');
  await reaches('killed on the way', 'SUCCESS');
  await createTask(second.graphqlUrl, { prompt: 'made afterwards' });
  await reaches('made afterwards', 'SUCCESS');
});

test('a network that fails and comes back, in every way, leaves the page with what is true', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
  const proxy = await startTcpProxy(Number(new URL(gateway.url).port));
  const { connected, page, reaches } = await open(`http://127.0.0.1:${proxy.port}`);
  await connected('live');
  for (const trouble of ['cut', 'blackHole'] as const) {
    proxy[trouble]();
    await connected('reconnecting');
    await createTask(gateway.graphqlUrl, { prompt: `made behind a ${trouble} [sandbox: duration=1s]` });
    proxy.pass();
    await connected('live');
    await reaches(`made behind a ${trouble}`, 'SUCCESS');
  }
  await page.context().setOffline(true);
  await connected('offline');
  await page.context().setOffline(false);
  await connected('live');
});

test('who has to sign in does so, is told of a wrong key, and may leave', async () => {
  const { audit, connected, create, fill, page, reaches, signIn } = await open(closed.url);
  await connected('signed-out');
  expect(await audit()).toEqual([]);
  await signIn('wrong-key-of-nobody');
  await page.getByText('The key or token is not accepted').waitFor();
  await signIn(KEY);
  await connected('live');
  await fill('mine alone [sandbox: duration=1s]');
  await create();
  await reaches('mine alone', 'SUCCESS');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await connected('signed-out');
  expect(await page.getByText('mine alone').count()).toBe(0);
  expect(await page.evaluate('sessionStorage.getItem("kineograph.credential")')).toBe(null);

  await signIn(BENS_KEY);
  await connected('live');
  await page.getByText('No videos yet.').waitFor();
  expect(await page.getByText('mine alone').count()).toBe(0);
});

test('a token that ends leads back to the sign-in, and another one on from there', async () => {
  const { connected, reaches, signIn, watchFor } = await open(closed.url);
  const token = await tokenOf('carol', '1h', JWT_SECRET);
  // For five seconds more than that it lets in, since clocks differ, though for a moment only.
  const wasLive = await watchFor('[data-connection="live"]');
  await signIn(await tokenOf('carol', '2s', JWT_SECRET));
  await wasLive();
  await connected('signed-out');
  await signIn(token);
  await connected('live');
  await createTask(closed.graphqlUrl, { prompt: 'after the token [sandbox: duration=1s]' }, token);
  await reaches('after the token', 'SUCCESS');
});

test('neither a double click, nor a reload, nor a lost connection creates a video twice', async () => {
  const kie = await startFakeProvider();
  const gate = deferred();
  kie.answer('createTask', { ...created('kie-1'), gate: gate.promise });
  const gateway = await startGateway({ provider: kie });
  const { connected, fill, page, reaches } = await open(gateway.url);
  await connected('live');
  await fill('only once');
  await page.getByRole('button', { name: 'Create the video' }).dblclick();
  await kie.received('createTask');
  for (let reload = 0; reload < 2; reload += 1) {
    await page.reload();
    await page.getByText('No answer yet; asking again.').waitFor();
  }
  gate.resolve();
  await page.getByText('It is on its way.').waitFor();
  await reaches('only once', 'WAITING');
  expect(kie.requests('createTask')).toHaveLength(1);
});
