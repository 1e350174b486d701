import { expect, test } from 'vitest';
import { SECRET, claims, inSeconds, signWith } from '../../auth/tokens.ts';
import { deferred } from '../../kit/waits.ts';
import { startFakeProvider } from '../../kit/provider.ts';
import { freePort, startBuilt } from '../../kit/process.ts';
import { startGateway, temporaryDir } from '../../kit/gateway.ts';
import { created, credit, record, succeeded } from '../../kit/kie.ts';
import { startTcpProxy } from '../../kit/tcp-proxy.ts';
import { createTask } from '../client.ts';
import { openDashboard } from './viewer.ts';

const KEY = '0123456789abcdef0123456789abcdef';
const BENS_KEY = 'fedcba9876543210fedcba9876543210';

test('a gateway that is killed and started again is caught up with, without a reload', async () => {
  const provider = await startFakeProvider();
  provider.always('credit', credit(100));
  provider.answer('createTask', created('kie-1'), created('kie-2'));
  let tell = record;
  provider.always('recordInfo', ({ query }) => tell(query['taskId'] ?? ''));
  const env = { DATA_DIR: await temporaryDir(), KIE_API_KEY: 'a-key', KIE_API_URL: provider.url };
  const PORT = String(await freePort());
  const first = await startBuilt({ ...env, PORT });
  const { connected, create, fill, reaches } = await openDashboard(first.url);
  await connected('live');
  await fill('killed on the way');
  await create();
  await reaches('killed on the way', 'WAITING');

  first.signal('SIGKILL');
  await first.exited;
  await connected('reconnecting');
  tell = (id) => succeeded(id);
  const second = await startBuilt({ ...env, PORT });
  await connected('live');
  await reaches('killed on the way', 'SUCCESS');
  await createTask(second.graphqlUrl, { prompt: 'made afterwards' });
  await reaches('made afterwards', 'SUCCESS');
});

test.each(['cut', 'blackHole'] as const)(
  'a network that fails (%s) and comes back leaves the page with what is true',
  async (trouble) => {
    const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
    const proxy = await startTcpProxy(Number(new URL(gateway.url).port));
    const { connected, reaches } = await openDashboard(`http://127.0.0.1:${proxy.port}`);
    await connected('live');
    proxy[trouble]();
    await connected('reconnecting');
    await createTask(gateway.graphqlUrl, { prompt: 'made in the dark [sandbox: duration=1s]' });
    proxy.pass();
    await connected('live');
    await reaches('made in the dark', 'SUCCESS');
  },
);

test('a browser that is offline says so, and goes on when it is not', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
  const { connected, page } = await openDashboard(gateway.url);
  await connected('live');
  await page.context().setOffline(true);
  await connected('offline');
  await page.context().setOffline(false);
  await connected('live');
});

test('who has to sign in does so, is told of a wrong key, and may leave', async () => {
  const gateway = await startBuilt({
    DATA_DIR: await temporaryDir(),
    API_KEYS: `ada:${KEY},ben:${BENS_KEY}`,
  });
  const { audit, connected, create, fill, page, reaches } = await openDashboard(gateway.url);
  await connected('signed-out');
  expect(await audit()).toEqual([]);
  await page.getByLabel('API key or token').fill('wrong-key-of-nobody');
  await page.keyboard.press('Enter');
  await page.getByText('The key or token is not accepted').waitFor();
  await page.getByLabel('API key or token').fill(KEY);
  await page.keyboard.press('Enter');
  await connected('live');
  await fill('mine alone [sandbox: duration=1s]');
  await create();
  await reaches('mine alone', 'SUCCESS');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await connected('signed-out');
  expect(await page.getByText('mine alone').count()).toBe(0);
  expect(await page.evaluate('sessionStorage.getItem("kineograph.credential")')).toBe(null);

  await page.getByLabel('API key or token').fill(BENS_KEY);
  await page.keyboard.press('Enter');
  await connected('live');
  await page.getByText('No videos yet.').waitFor();
  expect(await page.getByText('mine alone').count()).toBe(0);
});

test('a token that ends leads back to the sign-in, and another one on from there', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir(), JWT_SECRET: SECRET });
  const { connected, page, reaches, watchFor } = await openDashboard(gateway.url);
  const signIn = async (exp: number): Promise<void> => {
    await page.getByLabel('API key or token').fill(await signWith(SECRET, claims({ exp })));
    await page.keyboard.press('Enter');
  };
  // For five seconds more than that it lets in, since clocks differ, though for a moment only.
  const wasLive = await watchFor('[data-connection="live"]');
  await signIn(inSeconds(5));
  await wasLive();
  await connected('signed-out');
  await signIn(inSeconds(3600));
  await connected('live');
  await createTask(
    gateway.graphqlUrl,
    { prompt: 'after the token [sandbox: duration=1s]' },
    await signWith(SECRET),
  );
  await reaches('after the token', 'SUCCESS');
});

test('neither a double click, nor a reload, nor a lost connection creates a video twice', async () => {
  const provider = await startFakeProvider();
  provider.always('credit', credit(100));
  const gate = deferred();
  provider.answer('createTask', { ...created('kie-1'), gate: gate.promise });
  const gateway = await startGateway({ provider });
  const { connected, fill, page, reaches } = await openDashboard(gateway.url);
  await connected('live');
  await fill('only once');
  await page.getByRole('button', { name: 'Create the video' }).dblclick();
  await provider.received('createTask');

  await page.reload();
  await page.getByText('No answer yet; asking again.').waitFor();
  await page.reload();
  await page.getByText('No answer yet; asking again.').waitFor();
  gate.resolve();
  await page.getByText('It is on its way.').waitFor();
  await reaches('only once', 'WAITING');
  expect(provider.requests('createTask')).toHaveLength(1);
});
