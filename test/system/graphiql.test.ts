import { expect, test } from 'vitest';
import { temporaryDir } from '../kit/gateway.ts';
import { startBuilt } from '../kit/process.ts';
import { oncePerFile } from '../kit/waits.ts';
import { launchBrowser, openPage, PATIENCE, useGraphiql } from '../kit/browser.ts';
import { createTask } from './client.ts';

const KEY = '0123456789abcdef0123456789abcdef';
const READY = ['Create', 'Watch', 'Models', 'Estimate', 'CreateOther', 'Task', 'Tasks', 'WatchAll', 'Cancel'];

const [browser, open, keyed] = await oncePerFile(
  async () =>
    [
      await launchBrowser(),
      await startBuilt({ DATA_DIR: await temporaryDir() }),
      await startBuilt({ DATA_DIR: await temporaryDir(), API_KEYS: `ada:${KEY}` }),
    ] as const,
)();

test('a task is created and watched to its end with what the page opens with', async () => {
  const { page, troubles } = await openPage(browser, open.graphqlUrl);
  const user = await useGraphiql(page);
  expect(await user.tabs()).toEqual(READY);
  expect(await user.activeTab()).toBe('Create');
  await user.run();
  const id = await user.answer(/"id": "([0-9a-f-]{36})"/);

  await user.openTab('Watch');
  const sockets: string[] = [];
  page.on('websocket', (socket) => sockets.push(socket.url()));
  expect(await user.read('variables')).toBe('{ "id": "" }');
  await user.write('variables', JSON.stringify({ id }));
  await user.run();
  await user.answer(/"state": "SUCCESS"/);
  expect(sockets).toEqual([expect.stringMatching(/^ws:\/\/127\.0\.0\.1:\d+\/graphql$/)]);

  await user.openTab('Task');
  await user.write('operation', 'query Task($id: ID!) { task(id: $id) { prompt } }');
  await user.write('variables', JSON.stringify({ id }));
  await user.run();
  await user.answer(/"prompt": "Cinematic wide shot/);

  // What is executed is what stands there, however soon after it was written.
  await user.writeAndRun('query Other { account { creditsRemaining } }');
  await user.answer(/"creditsRemaining": \d+/);
  await user.writeAndRun('subscription Another { tasksUpdated { id } }');
  await user.goesOn();
  expect(troubles()).toEqual([]);
});

test('an Authorization header lets queries and subscriptions through, and is not stored', async () => {
  const { page } = await openPage(browser, keyed.graphqlUrl);
  const user = await useGraphiql(page);
  await user.openTab('Tasks');
  await user.run();
  await user.answer(/"UNAUTHENTICATED"/);
  await user.openTab('WatchAll');
  await user.run();
  await user.answer(/4403/);

  await user.write('headers', JSON.stringify({ Authorization: `Bearer ${KEY}` }));
  await user.run();
  await user.goesOn();
  await createTask(keyed.graphqlUrl, { prompt: 'snow [sandbox: duration=1s]' }, KEY);
  await user.answer(/"state": "SUCCESS"/);
  const stored = String(await page.evaluate('JSON.stringify([{ ...localStorage }, { ...sessionStorage }])'));
  expect(stored).toContain('tabState');
  expect(stored).not.toContain(KEY);
});

test('the credential that the dashboard keeps lets operations through unless another is typed, and foreign scripts do not run', async () => {
  const { page, troubles } = await openPage(browser, keyed.graphqlUrl, { credential: KEY });
  const user = await useGraphiql(page);
  await user.write('operation', '{ tasks { revision } }');
  await user.run();
  await user.answer(/"revision": \d/);
  await user.write('operation', 'subscription { tasksUpdated { id } }');
  await user.run();
  await user.goesOn();
  await user.stop();
  expect(troubles()).toEqual([]);

  await page.evaluate(`document.body.append(Object.assign(document.createElement('script'), {
    textContent: 'globalThis.ran = true' }))`);
  expect(await page.evaluate('globalThis.ran')).toBeUndefined();
  expect(troubles()).toEqual([expect.stringContaining('Content Security Policy')]);
  await user.write('headers', JSON.stringify({ authorization: 'Bearer wrong' }));
  await user.run();
  await user.answer(/4403/);
});

test('a link opens its operation and variables in the first tab, runs nothing, and is text whatever it holds', async () => {
  const one = 'query Linked($first: Int!) { tasks(first: $first) { revision edges { node { id } } } }';
  const two = 'query First { account { creditsRemaining } } query Second($first: Int) { tasks { revision } }';
  const evil = `<img src=x onerror="globalThis.ran=1"></script><script>globalThis.ran=1</script>`;
  const { page, troubles } = await openPage(
    browser,
    open.graphqlUrl + linkTo({ query: one, variables: '{"first":1}' }),
  );
  const user = await useGraphiql(page);
  expect(await user.tabs()).toEqual(['Linked', ...READY]);
  expect(await user.activeTab()).toBe('Linked');
  expect(await user.read('operation')).toBe(one);
  expect(await user.read('variables')).toBe('{\n  "first": 1\n}');
  expect(await user.read('answer')).toBe('');
  expect(page.url()).toBe(open.graphqlUrl);
  const task = await createTask(open.graphqlUrl);
  await user.run();
  await user.answer(new RegExp(task.id));

  // Beside the tabs that are remembered; of the common form, with the operation that it names.
  const search = new URLSearchParams({ query: two, variables: '{"first":1}', operationName: 'Second' });
  const second = await opened(`?${search.toString()}`, 'Second');
  expect(await second.tabs()).toEqual(['Second', 'Linked', ...READY]);
  expect(await second.activeTab()).toBe('Second');
  expect(await second.read('operation')).toBe(two);
  expect(await second.read('answer')).toBe('');
  expect(page.url()).toBe(open.graphqlUrl);

  await page.goto(open.graphqlUrl + linkTo({ query: `query ${evil}`, variables: `${evil} %zz` }));
  await expect.poll(() => second.read('operation'), PATIENCE).toBe(`query ${evil}`);
  expect(await second.read('variables')).toBe(`${evil} %zz`);
  expect(await page.evaluate('globalThis.ran')).toBeUndefined();
  expect(troubles()).toEqual([]);
  // A subscription runs no more than a query does, and leaves no page that loads for ever.
  await opened(`?query=${encodeURIComponent('subscription Live { tasksUpdated { id } }')}`, 'Live');

  async function opened(link: string, name: string) {
    await page.goto(open.graphqlUrl + link);
    await expect.poll(() => page.locator('[role=tab]').first().innerText(), PATIENCE).toBe(name);
    return useGraphiql(page);
  }
});

function linkTo(parts: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(parts).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `#${pairs.join('&')}`;
}
