import { expect, test } from 'vitest';
import { temporaryDir } from '../support/gateway.ts';
import { startBuilt } from '../support/process.ts';
import { startBrowser, type TestBrowser } from './browser.ts';
import { useGraphiql, type GraphiqlUser } from './graphiql-page.ts';

const READY = ['Create', 'Watch', 'Task', 'Tasks', 'WatchAll', 'Cancel'];

interface Opened extends TestBrowser {
  readonly url: string;
  readonly graphqlUrl: string;
  readonly user: GraphiqlUser;
}

/** A gateway of its own, and its GraphiQL in a browser. `hash` is what stands behind the address. */
async function open(hash = ''): Promise<Opened> {
  const { graphqlUrl, url } = await startBuilt({ DATA_DIR: await temporaryDir() });
  const browser = await startBrowser(url);
  await browser.page.goto(graphqlUrl + hash);
  return { ...browser, url, graphqlUrl, user: await useGraphiql(browser.page) };
}

function linkTo(query: string, variables?: string): string {
  const parts = { query, ...(variables !== undefined && { variables }) };
  return `#${Object.entries(parts)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')}`;
}

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
  const { graphqlUrl, page, troubles, user } = await open(linkTo(query, '{"first":1}'));
  expect(await user.tabs()).toEqual(['Linked', ...READY]);
  expect(await user.activeTab()).toBe('Linked');
  expect(await user.read('operation')).toBe(query);
  expect(await user.read('variables')).toBe('{\n  "first": 1\n}');
  expect(await user.read('answer')).toBe('');
  expect(page.url()).toBe(graphqlUrl);

  // Beside the tabs that are remembered.
  await page.goto(graphqlUrl + linkTo('query Next { account { creditsRemaining } }'));
  await expect.poll(() => page.locator('[role=tab]').first().innerText()).toBe('Next');
  const later = await useGraphiql(page);
  expect(await later.tabs()).toEqual(['Next', 'Linked', ...READY]);
  expect(await later.activeTab()).toBe('Next');
  expect(await later.read('operation')).toBe('query Next { account { creditsRemaining } }');
  expect(troubles()).toEqual([]);
});

test('whatever stands in a link is text', async () => {
  const evil = `<img src=x onerror="globalThis.ran=1"></script><script>globalThis.ran=1</script>`;
  const { page, troubles, user } = await open(linkTo(`query ${evil}`, `${evil} %zz`));
  expect(await user.read('operation')).toBe(`query ${evil}`);
  expect(await user.read('variables')).toBe(`${evil} %zz`);
  expect(await page.evaluate('globalThis.ran')).toBeUndefined();
  expect(troubles()).toEqual([]);
});
