import { expect, test } from 'vitest';
import { CREATE, input } from '../kit/documents.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { startBuilt } from '../kit/process.ts';
import { createTask } from './client.ts';
import { startBrowser, type TestBrowser } from './browser.ts';
import { PATIENCE, useGraphiql, type GraphiqlUser } from './graphiql-page.ts';

const KEY = '0123456789abcdef0123456789abcdef';
const READY = ['Create', 'Watch', 'Task', 'Tasks', 'WatchAll', 'Cancel'];

interface Opened extends TestBrowser {
  readonly url: string;
  readonly graphqlUrl: string;
  readonly user: GraphiqlUser;
}

/** A gateway of its own, and its GraphiQL in a browser. */
async function open(
  options: {
    readonly env?: Readonly<Record<string, string>>;
    /** What stands behind the path. */
    readonly hash?: string;
    /** What the dashboard has kept in this tab. */
    readonly credential?: string;
  } = {},
): Promise<Opened> {
  const { credential, env = {}, hash = '' } = options;
  const { graphqlUrl, url } = await startBuilt({ DATA_DIR: await temporaryDir(), ...env });
  const browser = await startBrowser(url);
  if (credential !== undefined)
    await browser.page.addInitScript(`sessionStorage.setItem('kineograph.credential', '${credential}')`);
  await browser.page.goto(graphqlUrl + hash);
  return { ...browser, url, graphqlUrl, user: await useGraphiql(browser.page) };
}

function linkTo(query: string, variables?: string): string {
  const parts = { query, ...(variables !== undefined && { variables }) };
  return `#${Object.entries(parts)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')}`;
}

test('a task is created and watched to its end with what the page opens with', async () => {
  const { page, troubles, user } = await open();
  expect(await page.title()).toBe('Kineograph');
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
  expect(troubles()).toEqual([]);
});

test('what is executed is what stands there, however soon after it was written', async () => {
  const { troubles, user } = await open();
  await user.writeAndRun('query Other { account { creditsRemaining } }');
  await user.answer(/"creditsRemaining": \d+/);
  await user.writeAndRun('subscription Another { tasksUpdated { id } }');
  await user.goesOn();
  expect(troubles()).toEqual([]);
});

test('an Authorization header lets queries and subscriptions through', async () => {
  const { graphqlUrl, page, user } = await open({ env: { API_KEYS: `ada:${KEY}` } });
  await user.openTab('Tasks');
  await user.run();
  await user.answer(/"UNAUTHENTICATED"/);
  await user.openTab('WatchAll');
  await user.run();
  await user.answer(/4403/);

  await user.write('headers', JSON.stringify({ Authorization: `Bearer ${KEY}` }));
  await user.run();
  await user.goesOn();
  const headers = { authorization: `Bearer ${KEY}` };
  const { body } = await graphql(graphqlUrl, CREATE, { input: input() }, headers);
  expect(dataOf(body).createImageToVideo.__typename).toBe('CreateImageToVideoSuccess');
  await user.answer(/"state": "SUCCESS"/);

  // Credentials stay where they were typed.
  const stored = String(await page.evaluate('JSON.stringify([{ ...localStorage }, { ...sessionStorage }])'));
  expect(stored).toContain('tabState');
  expect(stored).not.toContain(KEY);
});

test('the credential that the dashboard keeps lets queries and subscriptions through, unless another is typed', async () => {
  const { troubles, user } = await open({ env: { API_KEYS: `ada:${KEY}` }, credential: KEY });
  await user.write('operation', '{ tasks { revision } }');
  await user.run();
  await user.answer(/"revision": 0/);
  await user.write('operation', 'subscription { tasksUpdated { id } }');
  await user.run();
  await user.goesOn();
  expect(troubles()).toEqual([]);
  await user.stop();

  await user.write('headers', JSON.stringify({ authorization: 'Bearer wrong' }));
  await user.run();
  await user.answer(/4403/);
});

test('its files come compressed, are kept for ever, and hold no script of anybody else', async () => {
  const { graphqlUrl, page, troubles, url } = await open();
  const answer = await fetch(graphqlUrl, { headers: { accept: 'text/html' } });
  const html = await answer.text();
  const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path);
  expect(files.length).toBeGreaterThan(2);
  for (const path of files) {
    expect(path).toMatch(/^\/assets\/[\w.-]+-[\w-]{8}\.(?:css|js|svg)$/);
    const { headers } = await fetch(url + path, { headers: { 'accept-encoding': 'br' } });
    expect(headers.get('content-encoding')).toBe('br');
    expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  }
  // What a page of somebody else could bring here does not run.
  await page.evaluate(`document.body.append(Object.assign(document.createElement('script'), {
    textContent: 'globalThis.ran = true' }))`);
  expect(await page.evaluate('globalThis.ran')).toBeUndefined();
  expect(troubles()).toEqual([expect.stringContaining('Content Security Policy')]);
});

test('a link opens its operation and variables in the first tab, and does not run it', async () => {
  const query = 'query Linked($first: Int!) { tasks(first: $first) { revision edges { node { id } } } }';
  const { graphqlUrl, page, troubles, user } = await open({ hash: linkTo(query, '{"first":1}') });
  expect(await user.tabs()).toEqual(['Linked', ...READY]);
  expect(await user.activeTab()).toBe('Linked');
  expect(await user.read('operation')).toBe(query);
  expect(await user.read('variables')).toBe('{\n  "first": 1\n}');
  expect(await user.read('answer')).toBe('');
  expect(page.url()).toBe(graphqlUrl);
  const task = await createTask(graphqlUrl);
  await user.run();
  await user.answer(new RegExp(task.id));

  // Beside the tabs that are remembered.
  await page.goto(graphqlUrl + linkTo('query Next { account { creditsRemaining } }'));
  await expect.poll(() => page.locator('[role=tab]').first().innerText(), PATIENCE).toBe('Next');
  const later = await useGraphiql(page);
  expect(await later.tabs()).toEqual(['Next', 'Linked', ...READY]);
  expect(await later.activeTab()).toBe('Next');
  expect(await later.read('operation')).toBe('query Next { account { creditsRemaining } }');
  expect(troubles()).toEqual([]);
});

test('a link of the common form opens the same way, with the operation that it names, and nothing runs', async () => {
  const query =
    'query First { account { creditsRemaining } } query Second($first: Int) { tasks(first: $first) { revision } }';
  const search = new URLSearchParams({ query, variables: '{"first":1}', operationName: 'Second' });
  const { graphqlUrl, page, troubles, user } = await open({ hash: `?${search.toString()}` });
  expect(await user.activeTab()).toBe('Second');
  expect(await user.tabs()).toEqual(['Second', ...READY]);
  expect(await user.read('operation')).toBe(query);
  expect(await user.read('variables')).toBe('{\n  "first": 1\n}');
  expect(await user.read('answer')).toBe('');
  expect(page.url()).toBe(graphqlUrl);
  expect(troubles()).toEqual([]);

  // A subscription runs no more than a query does, and leaves no page that loads for ever.
  await page.goto(`${graphqlUrl}?query=${encodeURIComponent('subscription Live { tasksUpdated { id } }')}`);
  await expect.poll(() => page.locator('[role=tab]').first().innerText(), PATIENCE).toBe('Live');
});

test('whatever stands in a link is text', async () => {
  const evil = `<img src=x onerror="globalThis.ran=1"></script><script>globalThis.ran=1</script>`;
  const { page, troubles, user } = await open({ hash: linkTo(`query ${evil}`, `${evil} %zz`) });
  expect(await user.read('operation')).toBe(`query ${evil}`);
  expect(await user.read('variables')).toBe(`${evil} %zz`);
  expect(await page.evaluate('globalThis.ran')).toBeUndefined();
  expect(troubles()).toEqual([]);
});
