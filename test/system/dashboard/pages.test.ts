import { expect, test } from 'vitest';
import { headOf, sendRaw } from '../../attacks/raw-http.ts';
import { temporaryDir } from '../../kit/gateway.ts';
import { flat, imageBytes, pngOf } from '../../kit/images.ts';
import { startBuilt } from '../../kit/process.ts';
import { oncePerFile } from '../../kit/waits.ts';
import {
  launchBrowser,
  openPage,
  PATIENCE,
  useDashboard,
  useGraphiql,
  usePlayer,
} from '../../kit/browser.ts';
import { createTask } from '../client.ts';

const [browser, gateway] = await oncePerFile(
  async () => [await launchBrowser(), await startBuilt({ DATA_DIR: await temporaryDir() })] as const,
)();

async function open(options: Parameters<typeof openPage>[2] = {}) {
  const opened = await openPage(browser, gateway.url, options);
  const viewer = useDashboard(opened.page);
  await viewer.connected('live');
  return { ...opened, ...viewer };
}

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
  const { audit, create, page, reaches, troubles, watchFor } = await open();
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
  await usePlayer(card.locator('video')).play();
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
  const { page } = await open({ permissions: ['clipboard-read', 'clipboard-write'] });
  await page.evaluate(copying(await imageBytes()));
  const addresses = page.getByLabel('Address of the image');
  await addresses.first().waitFor();
  await page.keyboard.press('Control+V');
  await expect.poll(() => addresses.first().inputValue(), PATIENCE).toContain('/sandbox/files/uploads/');
  expect(await addresses.last().inputValue()).toBe('');
  await addresses.first().fill('');
  await addresses.last().press('Control+V');
  await expect.poll(() => addresses.last().inputValue(), PATIENCE).toContain('/sandbox/files/uploads/');
  expect(await addresses.first().inputValue()).toBe('');
});

test.each([
  ['/', 150_000],
  ['/graphql', Infinity],
])(
  'the files of the page at %s come from here, compressed, at most %d bytes at first, and browsers keep them',
  async (path, most) => {
    const page = await fetch(gateway.url + path, { headers: { accept: 'text/html' } });
    expect(page.headers.get('content-security-policy')).toMatch(/script-src 'self'.*connect-src 'self';/);
    const html = await page.text();
    const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file = '']) => file);
    expect(files.length).toBeGreaterThan(2);
    let bytes = html.length;
    for (const file of files) {
      expect(file).toMatch(/^\/assets\/[\w.-]+-[\w-]{8}\.(?:js|css|svg)$/);
      const { body, headers } = await fetch(gateway.url + file, { headers: { 'accept-encoding': 'br' } });
      expect(headers.get('content-encoding')).toBe('br');
      expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      bytes += Number(headers.get('content-length'));
      await body?.cancel();
    }
    expect(bytes).toBeLessThan(most);
  },
);

test('a page and its files take GET and HEAD, and answer other methods with 405 and OPTIONS with 204', async () => {
  const port = Number(new URL(gateway.url).port);
  for (const path of ['/', '/tasks/x', '/assets/x.js'])
    for (const method of ['OPTIONS', 'TRACE', 'PROPFIND', 'QUERY', 'PATCH']) {
      const head = headOf(`${method} ${path}`, 'Host: localhost', 'Connection: close');
      const answer = await sendRaw(port, head);
      const [, allow] = /^allow: (.*)$/im.exec(answer.head) ?? [];
      const status = method === 'OPTIONS' ? 204 : 405;
      expect([path, method, answer.status, allow]).toEqual([path, method, status, 'GET, HEAD']);
      if (status === 405)
        expect(JSON.parse(answer.body)).toMatchObject({ status, hint: expect.any(String) as string });
    }
});

test('a task that was made elsewhere is seen at once in two browsers, and its end in both', async () => {
  const viewers = [await open(), await open()];
  await createTask(gateway.graphqlUrl, { prompt: 'seen by two [sandbox: duration=1s]' });
  for (const { reaches } of viewers) await reaches('seen by two', 'SUCCESS');
});

test('people who read Chinese have it in Chinese, and may choose', async () => {
  const { audit, page } = await open({ locale: 'zh-CN' });
  await page.getByRole('heading', { name: '新建视频' }).waitFor();
  expect(await page.evaluate('document.documentElement.lang')).toBe('zh');
  expect(await audit()).toEqual([]);
  await page.getByLabel('语言').selectOption('en');
  await page.getByRole('heading', { name: 'New video' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'New video' }).waitFor();
});

test('a keyboard is enough, and a screen reader is told of what changes', async () => {
  const { page, reaches } = await open();
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

test('what is wrong with the input, an image or an address, and what the provider refuses, stands where it belongs, in words', async () => {
  const { audit, cards, create, fill, page } = await open();
  await create();
  await page.getByText('This is needed.').first().waitFor();
  expect(await page.getByText('This is needed.').count()).toBe(2);
  await fill('x'.repeat(1501), 'ftp://files.example/a.png');
  await page.getByText('1501 of 1500 characters').waitFor();
  await create();
  await page.getByText('This is too long.').waitFor();
  await page.getByText('The address must begin with http:// or https://.').waitFor();
  expect(await audit()).toEqual([]);

  const gif = { name: 'mine.png', mimeType: 'image/png', buffer: await flat('gif') };
  await page.locator('input[type=file]').first().setInputFiles(gif);
  await page.getByText('The image must be JPEG, PNG, or WebP.').waitFor();
  await fill('expensive [sandbox: reject=402]');
  await create();
  await page.getByText('The account has too few credits.').waitFor();
  expect(await cards('expensive').count()).toBe(0);
  await page.goto(`${gateway.url}/tasks/nobody`);
  await page.getByText('There is no such video.').waitFor();
  expect(await audit()).toEqual([]);
});

test('a model shows its options alone, keeps what it has of those that were chosen, and makes the video with them', async () => {
  const { audit, create, field, fill, page, reaches } = await open();
  await page.setViewportSize({ width: 320, height: 800 });
  const labels = page.locator('form label:not(.button)');
  const image = 'Address of the image';
  const optimizer = 'Let the provider improve the prompt';
  const shown = (...options: readonly string[]) =>
    expect.poll(() => labels.allInnerTexts(), PATIENCE).toEqual(['Model', 'Prompt', ...options]);

  await shown(image, image, optimizer);
  await fill('another model [sandbox: duration=1s]');
  await page.getByText('about 57 credits').waitFor();
  await field('Model').selectOption('Kling 2.6');
  await shown(image, 'Duration', 'Sound');
  expect(await field('Duration').inputValue()).toBe('5');
  await page.getByText('about 55 credits').waitFor();
  await field('Duration').selectOption('10 s');
  await field('Sound').selectOption('On');
  await page.getByText('about 220 credits').waitFor();
  await field('Model').selectOption('Wan 2.7');
  await shown(
    image,
    image,
    'Duration',
    'Resolution',
    'Negative prompt (optional)',
    'Seed (optional)',
    optimizer,
  );
  expect(await field('Duration').inputValue()).toBe('10');
  await field('Resolution').selectOption('720p');
  await field('Negative prompt (optional)').fill('blur');
  await field('Seed (optional)').fill('7');
  await page.getByText('about 160 credits').waitFor();
  expect(await audit()).toEqual([]);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(320);

  await create();
  const card = await reaches('another model', 'SUCCESS');
  await card.getByRole('link', { name: 'Details' }).click();
  await page.locator('dl').waitFor();
  const facts = await page.locator('dl > div').allInnerTexts();
  expect(facts).toEqual(
    expect.arrayContaining([
      'Model\nWan 2.7',
      'Duration\n10 s',
      'Resolution\n720p',
      'Negative prompt\nblur',
      'Seed\n7',
      'Credits used\n160',
    ]),
  );
  expect(facts.filter((fact) => fact.startsWith('Sound'))).toEqual([]);
  expect(await audit()).toEqual([]);
});

test('what a model does not take is said with its own limits, of an image at once', async () => {
  const { audit, create, field, fill, page } = await open();
  const choose = (name: string, mimeType: string, buffer: Buffer) =>
    page.locator('input[type=file]').first().setInputFiles({ name, mimeType, buffer });
  await choose('large.png', 'image/png', await pngOf(10 * 1024 * 1024 + 1));
  await page.getByText('The image is larger than 10 MB.').waitFor();
  await choose('small.png', 'image/png', await flat('png', { width: 300, height: 300 }));
  await page.getByText('Both sides of the image must have at least 301 pixels.').waitFor();
  await choose('mine.webp', 'image/webp', await imageBytes('webp'));
  const address = page.getByLabel('Address of the image').first();
  await expect.poll(() => address.inputValue(), PATIENCE).toMatch(/\.webp$/);
  await field('Model').selectOption('Kling 2.6');
  await page.getByText('The image must be JPEG or PNG.').waitFor();
  expect(await audit()).toEqual([]);

  await fill('too much at once');
  await field('Model').selectOption('Hailuo 2.3 Pro');
  await field('Duration').selectOption('10 s');
  await field('Resolution').selectOption('1080p');
  await create();
  await page.getByText('This model does not accept this value').waitFor();
  await page.getByText('must be 6 at P1080').waitFor();
  expect(await audit()).toEqual([]);
  await field('Resolution').selectOption('768p');
  expect(await page.getByText('This model does not accept this value').count()).toBe(0);
  await field('Model').selectOption('Seedance 2 Mini');
  await fill('no');
  await create();
  await page.getByText('the model needs at least 3 characters').waitFor();
});

test('what fails later says so and can be tried again with the same model and options, and a lost answer loses no video', async () => {
  const { audit, cards, create, field, fill, page, reaches } = await open();
  await fill('lost answer [sandbox: answer=drop] [sandbox: duration=1s]');
  await create();
  await reaches('lost answer', 'SUCCESS');
  await fill('bad luck [sandbox: fail=501] [sandbox: duration=1s]');
  await field('Model').selectOption('Kling 2.6');
  await field('Sound').selectOption('On');
  await create();
  const card = await reaches('bad luck', 'FAIL');
  await card.getByText('The video could not be made.').waitFor();
  expect(await audit()).toEqual([]);
  await card.getByRole('button', { name: 'Create it again' }).click();
  await cards('bad luck').nth(1).waitFor();
  expect(await cards('bad luck').count()).toBe(2);
  await cards('bad luck').first().getByRole('link', { name: 'Details' }).click();
  await page.locator('dl').waitFor();
  expect(await page.locator('dl > div').allInnerTexts()).toEqual(
    expect.arrayContaining(['Model\nKling 2.6', 'Duration\n5 s', 'Sound\nOn']),
  );
});
