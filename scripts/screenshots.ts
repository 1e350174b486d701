// Screenshots of every view in both themes and both widths; two of them are those of the README. Needs Chromium.
// `npm run screenshots -- some/directory` builds, makes them there, and stops.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import sharp from 'sharp';
import { startGateway } from './demo/gateway.ts';

const THEMES = ['light', 'dark'] as const;
const WIDTHS = { wide: 1280, narrow: 390 } as const;
const PROMPTS = [
  'The ship rises slowly over the rings of Saturn',
  'Snow falls on the harbour while the boats sway [sandbox: duration=40s]',
  'A paper bird unfolds and flies away [sandbox: fail=501]',
];

const directory = process.argv[2] ?? 'screenshots';
await mkdir(directory, { recursive: true });
await using gateway = await startGateway('', AbortSignal.timeout(120_000));
const url = new URL('/', gateway.url).origin;
const imageUrl = await uploadImage(url);
const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
try {
  for (const prompt of PROMPTS) await create(prompt);
  for (const colorScheme of THEMES)
    for (const [name, width] of Object.entries(WIDTHS)) {
      const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
      await showAll(page, join(directory, `${colorScheme}-${name}`));
      await page.close();
    }
} finally {
  await browser.close();
}

async function showAll(page: Page, prefix: string): Promise<void> {
  await page.goto(url);
  await page.locator('li.task video').waitFor();
  await page.getByLabel('Prompt', { exact: true }).fill('A page of the flip book turns');
  await page.getByLabel('Address of the image').first().fill(imageUrl);
  await page.locator('img.preview').waitFor();
  await page.screenshot({ path: `${prefix}-home.png`, fullPage: true });
  await page
    .locator('li.task')
    .filter({ has: page.locator('video') })
    .getByText('Details')
    .click();
  await page.locator('.timeline li').first().waitFor();
  await page.locator('video').waitFor();
  await page.screenshot({ path: `${prefix}-task.png`, fullPage: true });
  await page.goto(`${url}/graphql`);
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  await page.screenshot({ path: `${prefix}-graphiql.png` });
}

async function create(prompt: string): Promise<void> {
  const query =
    'mutation ($input: CreateImageToVideoInput!) { createImageToVideo(input: $input) { __typename } }';
  await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables: { input: { prompt, imageUrl } } }),
  });
}

async function uploadImage(at: string): Promise<string> {
  const sky = Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="960" height="540">
    <defs><linearGradient id="a" x2="0" y2="1"><stop stop-color="#141a3c"/><stop offset="1" stop-color="#e58f65"/></linearGradient></defs>
    <rect width="960" height="540" fill="url(#a)"/><circle cx="690" cy="330" r="120" fill="#f7d9a0"/>
    <ellipse cx="690" cy="330" rx="230" ry="34" fill="none" stroke="#f4efe4" stroke-width="9"/></svg>`);
  const body = new Uint8Array(await sharp(sky).png().toBuffer());
  const headers = { 'content-type': 'image/png' };
  const answer = await fetch(`${at}/uploads`, { method: 'POST', headers, body });
  return ((await answer.json()) as { url: string }).url;
}
