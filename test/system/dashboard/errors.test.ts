import { describe, expect, test } from 'vitest';
import { temporaryDir } from '../../kit/gateway.ts';
import { flat } from '../../kit/images.ts';
import { startBuilt } from '../../kit/process.ts';
import { openDashboard, type Viewer } from './viewer.ts';

async function start(): Promise<Viewer> {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
  const viewer = await openDashboard(gateway.url);
  await viewer.connected('live');
  return viewer;
}

describe('what is wrong stands where it belongs, in words', () => {
  test('with the input', async () => {
    const { audit, create, fill, page, troubles } = await start();
    await create();
    await page.getByText('This is needed.').first().waitFor();
    expect(await page.getByText('This is needed.').count()).toBe(2);
    await fill('x'.repeat(1501), 'ftp://files.example/a.png');
    await page.getByText('1501 of 1500 characters').waitFor();
    await create();
    await page.getByText('This is too long.').waitFor();
    await page.getByText('The address must begin with http:// or https://.').waitFor();
    expect(await audit()).toEqual([]);
    expect(troubles()).toEqual([]);
  });

  test('with an image that is none', async () => {
    const { page } = await start();
    const gif = { name: 'mine.png', mimeType: 'image/png', buffer: await flat('gif') };
    await page.locator('input[type=file]').first().setInputFiles(gif);
    await page.getByText('The image is neither JPEG, PNG nor WebP.').waitFor();
  });

  test('with what the provider refuses', async () => {
    const { create, fill, page } = await start();
    await fill('expensive [sandbox: reject=402]');
    await create();
    await page.getByText('The account has too few credits.').waitFor();
    expect(await page.locator('li.task').count()).toBe(0);
  });

  test('with what fails later, and it can be tried again', async () => {
    const { audit, cards, create, fill, reaches } = await start();
    await fill('bad luck [sandbox: fail=501] [sandbox: duration=1s]');
    await create();
    const card = await reaches('bad luck', 'FAIL');
    await card.getByText('The video could not be made.').waitFor();
    expect(await audit()).toEqual([]);
    await card.getByRole('button', { name: 'Create it again' }).click();
    await cards('bad luck').nth(1).waitFor();
    expect(await cards('bad luck').count()).toBe(2);
  });

  test('with an answer that is lost: the video comes all the same', async () => {
    const { create, fill, reaches } = await start();
    await fill('lost answer [sandbox: answer=drop] [sandbox: duration=1s]');
    await create();
    await reaches('lost answer', 'SUCCESS');
  });

  test('with an address that leads to no task', async () => {
    const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
    const { audit, page } = await openDashboard(gateway.url, { path: '/tasks/nobody' });
    await page.getByText('There is no such video.').waitFor();
    expect(await audit()).toEqual([]);
  });
});
