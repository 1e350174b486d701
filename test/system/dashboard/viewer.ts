import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Locator, Page } from 'playwright-core';
import { expect } from 'vitest';
import { named } from '../../kit/waits.ts';
import { startBrowser, type TestBrowser } from '../browser.ts';

/** The dashboard in a browser, as somebody uses it who looks at it. */
export interface Viewer extends TestBrowser {
  /** Waits until the page says that it is so connected. */
  connected(state: 'live' | 'reconnecting' | 'offline' | 'signed-out'): Promise<void>;
  /** Fills in the form: a prompt and the address of an image. */
  fill(prompt: string, imageUrl?: string): Promise<void>;
  create(): Promise<void>;
  /** Looks out from now on, on this page, for something that comes for a moment; returns how to wait until it did. */
  watchFor(selector: string, text?: string): Promise<() => Promise<void>>;
  /** The cards of the list whose prompt contains this. */
  cards(prompt: string): Locator;
  /** Waits until the only card with this prompt is in a state. */
  reaches(prompt: string, state: string): Promise<Locator>;
  /** What an audit of accessibility finds that is serious. */
  audit(): Promise<readonly string[]>;
}

export const IMAGE = 'https://files.example/first.png';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function openDashboard(
  url: string,
  { path = '/', ...options }: Parameters<typeof startBrowser>[1] & { readonly path?: string } = {},
): Promise<Viewer> {
  const browser = await startBrowser(url, options);
  await browser.page.goto(url + path);
  return { ...browser, ...useDashboard(browser.page) };
}

function useDashboard(page: Page): Omit<Viewer, keyof TestBrowser> {
  const cards = (prompt: string): Locator => page.locator('li.task').filter({ hasText: prompt });
  return {
    cards,
    connected: (state) => page.locator(`[data-connection="${state}"]`).waitFor(),
    async fill(prompt, imageUrl = IMAGE) {
      await page.getByLabel('Prompt', { exact: true }).fill(prompt);
      await page.getByLabel('Address of the image').first().fill(imageUrl);
    },
    create: () => page.getByRole('button', { name: 'Create the video' }).click(),
    async watchFor(selector, text = '') {
      await page.evaluate(`void (globalThis.appeared = ${appearance(selector, text)})`);
      return async () => {
        const appeared = await named(`${selector} ${text}`, page.evaluate('globalThis.appeared'));
        if (appeared !== true) throw new Error('another page was opened meanwhile');
      };
    },
    async reaches(prompt, state) {
      const card = page.locator(`li.task[data-state="${state}"]`).filter({ hasText: prompt });
      await card.waitFor();
      expect(await cards(prompt).count()).toBe(1);
      return card;
    },
    async audit() {
      // By the tools of the browser, past the page's own policy.
      await page.evaluate(AXE);
      const found = await page.evaluate<readonly Finding[]>(
        'axe.run(document).then(({ violations }) => violations)',
      );
      return found
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
    },
  };
}

/** A promise of the page. What asks for it now and then would miss what lasts a moment. */
function appearance(selector: string, text: string): string {
  const [where, what] = [selector, text].map((word) => JSON.stringify(word));
  return `new Promise((resolve) => {
    new MutationObserver((changes, observer) => {
      if (![...document.querySelectorAll(${where})].some(({ innerText }) => innerText.includes(${what}))) return;
      observer.disconnect();
      resolve(true);
    }).observe(document, { attributes: true, characterData: true, childList: true, subtree: true });
  })`;
}

interface Finding {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}
