import { expect, test } from 'vitest';
import { temporaryDir } from '../../kit/gateway.ts';
import { imageBytes } from '../../kit/images.ts';
import { startBuilt } from '../../kit/process.ts';
import { createTask } from '../client.ts';
import { useGraphiql } from '../graphiql-page.ts';
import { openDashboard } from './viewer.ts';

const PATIENCE = { timeout: 30_000 };

function bytesOf(bytes: Buffer): string {
  return `Uint8Array.from(atob('${bytes.toString('base64')}'), (letter) => letter.charCodeAt(0))`;
}

/** Puts an image into the clipboard of the system. */
function copying(bytes: Buffer): string {
  return `navigator.clipboard.write([
    new ClipboardItem({ 'image/png': new Blob([${bytesOf(bytes)}], { type: 'image/png' }) }),
  ])`;
}

/** Has an image dropped on the place for the first one, as a hand would from a folder. */
function dropping(bytes: Buffer): string {
  return `(() => {
    const data = new DataTransfer();
    data.items.add(new File([${bytesOf(bytes)}], 'mine.png', { type: 'image/png' }));
    document.querySelector('fieldset').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
  })()`;
}

test('an image that is dropped becomes a video that plays, and all that is known of it is shown', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
  const { audit, connected, create, page, reaches, troubles, watchFor } = await openDashboard(gateway.url);
  await connected('live');
  expect(await page.getByText('Sandbox: nothing is charged').isVisible()).toBe(true);
  await page.getByText('Credits: 10,000').waitFor();

  await page.getByLabel('Prompt', { exact: true }).fill('a page turns');
  await page.evaluate(dropping(await imageBytes()));
  const address = page.getByLabel('Address of the image').first();
  await expect.poll(() => address.inputValue(), PATIENCE).toContain('/sandbox/files/uploads/kineograph/');
  expect(await audit()).toEqual([]);
  const tellsItsTime = await watchFor('li.task .course', 'so far');
  await create();
  await tellsItsTime();
  const card = await reaches('a page turns', 'SUCCESS');
  await card
    .locator('video')
    .evaluate(
      `(video) => new Promise((resolve) => { video.addEventListener('playing', resolve, { once: true }); video.muted = true; void video.play(); })`,
    );
  await page.getByText('Credits: 9,943').waitFor();
  expect(await audit()).toEqual([]);

  await card.getByRole('link', { name: 'Details' }).click();
  expect(new URL(page.url()).pathname).toMatch(/^\/tasks\/[\da-f-]{36}$/);
  await page.getByRole('heading', { name: 'What happened' }).waitFor();
  expect(await page.locator('.timeline strong').allInnerTexts()).toEqual(
    expect.arrayContaining(['Being sent', 'Accepted', 'Done']),
  );
  expect(await audit()).toEqual([]);

  await page.reload();
  await page.getByRole('heading', { name: 'a page turns' }).waitFor();
  await page.getByText('Query', { exact: true }).click();
  const [graphiql] = await Promise.all([
    page.context().waitForEvent('page'),
    page.getByRole('link', { name: 'Open in GraphiQL' }).first().click(),
  ]);
  expect(await (await useGraphiql(graphiql)).read('operation')).toContain('task(');
  expect(troubles()).toEqual([]);
});

test('an image that is pasted anywhere is the first one, and the last one where its place is', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
  const { connected, page } = await openDashboard(gateway.url, {
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  await connected('live');
  await page.evaluate(copying(await imageBytes()));
  const addresses = page.getByLabel('Address of the image');
  await page.keyboard.press('Control+V');
  await expect.poll(() => addresses.first().inputValue(), PATIENCE).toContain('/sandbox/files/uploads/');
  expect(await addresses.last().inputValue()).toBe('');
  await addresses.first().fill('');
  await addresses.last().press('Control+V');
  await expect.poll(() => addresses.last().inputValue(), PATIENCE).toContain('/sandbox/files/uploads/');
  expect(await addresses.first().inputValue()).toBe('');
});

test('what loads at first is less than 150 KB, all of it from here, and the files are kept by the browser', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
  const page = await fetch(`${gateway.url}/`);
  expect(page.headers.get('content-security-policy')).toMatch(/script-src 'self';.*connect-src 'self';/);
  expect(page.headers.get('cache-control')).toBe('no-cache');
  const html = await page.text();
  const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path);
  let bytes = html.length;
  for (const path of files) {
    expect(path).toMatch(/^\/assets\/[\w-]+-[\w-]{8}\.(?:js|css|svg)$/);
    const file = await fetch(gateway.url + path, { headers: { 'accept-encoding': 'br' } });
    expect(file.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    bytes += Number(file.headers.get('content-length'));
    await file.body?.cancel();
  }
  expect(files.length).toBeGreaterThan(2);
  expect(bytes).toBeLessThan(150_000);
});

test('a task that was made elsewhere is seen at once in two browsers, and its end in both', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
  const viewers = [await openDashboard(gateway.url), await openDashboard(gateway.url)];
  for (const { connected } of viewers) await connected('live');
  await createTask(gateway.graphqlUrl, { prompt: 'seen by two [sandbox: duration=1s]' });
  for (const { reaches } of viewers) await reaches('seen by two', 'SUCCESS');
});

test('people who read Chinese have it in Chinese, and may choose', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
  const { audit, page } = await openDashboard(gateway.url, { locale: 'zh-CN' });
  await page.getByRole('heading', { name: '新建视频' }).waitFor();
  expect(await page.evaluate('document.documentElement.lang')).toBe('zh');
  expect(await audit()).toEqual([]);
  await page.getByLabel('语言').selectOption('en');
  await page.getByRole('heading', { name: 'New video' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'New video' }).waitFor();
});

test('a keyboard is enough, and a screen reader is told of what changes', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
  const { connected, page, reaches } = await openDashboard(gateway.url);
  await connected('live');
  const focused = (): Promise<string> =>
    page.evaluate(
      // All of the page is not what is meant, where nothing has the focus.
      "document.activeElement.matches('body') ? '' : (document.activeElement.ariaLabel ?? document.activeElement.innerText)",
    );
  const tabTo = async (what: RegExp): Promise<void> => {
    for (let steps = 0; steps < 40; steps += 1) {
      if (what.test(await focused())) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`no Tab leads to ${String(what)}`);
  };
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('Skip to the tasks');
  await page.getByLabel('Prompt', { exact: true }).focus();
  await page.keyboard.type('written with a keyboard [sandbox: duration=1s]');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.type('https://files.example/first.png');
  await tabTo(/Create the video/);
  await page.keyboard.press('Enter');
  await reaches('written with a keyboard', 'SUCCESS');
  await page
    .getByRole('status')
    .filter({ hasText: 'Done: written with a keyboard' })
    .waitFor({ state: 'attached' });
  await tabTo(/Copy its link/);
});
