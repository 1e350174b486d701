import { expect, test } from 'vitest';
import { startHeldGateway } from '../../websocket/held-gateway.ts';
import { addTask } from '../../websocket/stored-tasks.ts';
import { startFakeProvider } from '../../kit/provider.ts';
import { credit } from '../../kit/kie.ts';
import { openDashboard } from './viewer.ts';

const PATIENCE = { timeout: 30_000 };

test('hundreds of videos are loaded as one scrolls, newest first, and can be filtered and searched', async () => {
  const provider = await startFakeProvider();
  provider.always('credit', credit(60.5));
  const { gateway, store } = await startHeldGateway({ provider });
  const count = 70;
  for (let index = 0; index < count; index += 1) {
    const isFailed = index % 10 === 0;
    await addTask(store, {
      prompt: `video number ${index}.`,
      createdAt: Date.now() - 1_000_000 + index,
      ...(isFailed && {
        state: 'FAIL',
        completedAt: Date.now(),
        failure: { code: 'EXPIRED', providerCode: null, message: 'too late' },
      }),
    });
  }

  const { audit, cards, connected, page } = await openDashboard(gateway.url);
  await connected('live');
  await page.getByText('Credits: 60.5').waitFor();
  const list = page.locator('li.task');
  await list.first().waitFor();
  expect(await list.count()).toBeLessThan(count);
  expect(await list.first().innerText()).toContain('video number 69.');
  await expect
    .poll(async () => {
      await list.last().scrollIntoViewIfNeeded();
      return list.count();
    }, PATIENCE)
    .toBe(count);
  expect(await list.last().innerText()).toContain('video number 0.');

  await page.getByLabel('Search the loaded prompts').fill('NUMBER 4');
  await expect.poll(() => list.count(), PATIENCE).toBe(11);
  await page.getByLabel('Search the loaded prompts').fill('nothing like it');
  await page.getByText('Nothing fits the filter.').waitFor();
  await page.getByLabel('Search the loaded prompts').fill('');
  await page.getByLabel('Show').selectOption('FAIL');
  await expect.poll(() => list.count(), PATIENCE).toBe(7);

  await cards('video number 60.').getByRole('button', { name: 'Create it again' }).click();
  await page.getByText('may be charged a second time').waitFor();
  expect(await audit()).toEqual([]);
  await page.getByRole('button', { name: 'No', exact: true }).click();
  expect(provider.requests('createTask')).toEqual([]);

  await addTask(store, { prompt: 'quite new' });
  await page.getByLabel('Show').selectOption('');
  await expect.poll(() => list.first().innerText(), PATIENCE).toContain('quite new');
});

test.each([
  ['light', 1280],
  ['light', 390],
  ['dark', 1280],
  ['dark', 390],
] as const)('every view is accessible and fits: %s, %i pixels wide', async (colorScheme, width) => {
  const provider = await startFakeProvider();
  provider.always('credit', credit(60.5));
  const { gateway, store } = await startHeldGateway({ provider });
  const { id } = await addTask(store, { prompt: 'w'.repeat(300) });
  const options = { colorScheme, viewport: { width, height: 800 } };
  for (const path of ['/', `/tasks/${id}`]) {
    const { audit, connected, page } = await openDashboard(gateway.url, { path, ...options });
    await connected('live');
    await page.getByText('so far').first().waitFor();
    expect(await audit()).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
  }
});
