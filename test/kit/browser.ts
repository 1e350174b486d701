import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium, type Browser, type BrowserContextOptions, type Locator, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { named, onTestEnd } from './waits.ts';

/** What a browser needs where it has no sandbox and no screen; and nothing that calls home. */
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A bound for what hangs, below that of a test, whose own would not say what was waited for. */
const PATIENCE_MS = 100_000;

/** For `expect.poll`: on a busy machine the editor alone takes its time to load. */
export const PATIENCE = { timeout: 60_000 };

/** Starts Chromium. */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, headless: true, args: ARGS });
  onTestEnd(() => browser.close());
  return browser;
}

interface TestPage {
  readonly page: Page;
  /**
   * All that went wrong so far: errors on the console, among them violations of a content security policy; exceptions that
   * nobody caught; requests that failed, and such as went to another host.
   */
  readonly troubles: () => readonly string[];
}

/** Opens an address in a profile of its own. */
export async function openPage(
  browser: Browser,
  url: string,
  { credential, ...options }: BrowserContextOptions & { readonly credential?: string } = {},
): Promise<TestPage> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, ...options });
  onTestEnd(() => page.context().close());
  page.context().setDefaultTimeout(PATIENCE_MS);
  const troubles = watch(page, new URL(url).host);
  // What the dashboard has kept in this tab.
  if (credential !== undefined)
    await page.addInitScript(`sessionStorage.setItem('kineograph.credential', '${credential}')`);
  await page.goto(url);
  return { page, troubles };
}

function watch(page: Page, host: string): () => readonly string[] {
  const troubles: string[] = [];
  const note = (what: string): void => void troubles.push(what);
  const look = (url: string): void => {
    if (!['blob:', 'data:'].includes(new URL(url).protocol) && new URL(url).host !== host)
      note(`a request to another host: ${url}`);
  };
  page.on('console', (message) => {
    if (message.type() === 'error') note(`on the console: ${message.text()}`);
  });
  page.on('pageerror', (error) => {
    note(`not caught: ${String(error)}`);
  });
  page.on('request', (request) => {
    look(request.url());
  });
  page.on('websocket', (socket) => {
    look(socket.url());
  });
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText ?? '';
    // Nobody wants any more what a page that was left had asked for.
    if (why !== 'net::ERR_ABORTED') note(`failed: ${request.url()} ${why}`);
  });
  return () => [...troubles];
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Finding {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** The dashboard as somebody uses it who looks at it. */
export function useDashboard(page: Page) {
  const cards = (prompt: string): Locator => page.locator('li.task').filter({ hasText: prompt });
  return {
    /** The cards of the list whose prompt contains this. */
    cards,
    /** Waits until the page says that it is so connected. */
    connected: (state: 'live' | 'reconnecting' | 'offline' | 'signed-out') =>
      page.locator(`[data-connection="${state}"]`).waitFor(),
    async signIn(credential: string) {
      await page.getByLabel('API key or token').fill(credential);
      await page.keyboard.press('Enter');
    },
    /** Fills in the form: a prompt and the address of an image. */
    async fill(prompt: string, imageUrl = 'https://files.example/first.png') {
      await page.getByLabel('Prompt', { exact: true }).fill(prompt);
      await page.getByLabel('Address of the image').first().fill(imageUrl);
    },
    /** A field of the form, by its whole label. */
    field: (label: string) => page.getByLabel(label, { exact: true }),
    create: () => page.getByRole('button', { name: 'Create the video' }).click(),
    /** Waits until the only card with this prompt is in a state. */
    async reaches(prompt: string, state: string) {
      const card = page.locator(`li.task[data-state="${state}"]`).filter({ hasText: prompt });
      await card.waitFor();
      expect(await cards(prompt).count()).toBe(1);
      return card;
    },
    /** Looks out from now on, on this page, for something that comes for a moment; returns how to wait until it did. */
    async watchFor(selector: string, text = '') {
      await page.evaluate(`void (globalThis.appeared = ${appearance(selector, text)})`);
      return async () => {
        const appeared = await named(`${selector} ${text}`, page.evaluate('globalThis.appeared'));
        if (appeared !== true) throw new Error('another page was opened meanwhile');
      };
    },
    /** What an audit of accessibility finds that is serious. */
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

/** The part of a video element that tests use. */
interface Player {
  currentTime: number;
  muted: boolean;
  onplaying: () => void;
  onseeked: () => void;
  onloadedmetadata: () => void;
  readonly duration: number;
  readonly error: { readonly message: string } | null;
  readonly paused: boolean;
  readonly played: { readonly length: number };
  readonly readyState: number;
  readonly videoWidth: number;
  play(): Promise<void>;
}

/** A video as somebody uses it who watches. */
export function usePlayer(video: Locator) {
  // Functions, since a text is not called; they run in the page and know nothing of this file.
  return {
    /** Plays it without sound, and waits until it does. */
    play: () =>
      video.evaluate(
        (element: unknown) =>
          new Promise<void>((resolve, reject) => {
            const player = element as Player;
            player.muted = true;
            player.onplaying = resolve;
            player.play().catch(reject);
          }),
      ),
    /** Seeks to a part of its duration, and returns the part at which it stands then. */
    seek: (part: number) =>
      video.evaluate(
        (element: unknown, where) =>
          new Promise<number>((resolve) => {
            const player = element as Player;
            const seek = (): void => {
              player.onseeked = () => {
                resolve(player.currentTime / player.duration);
              };
              player.currentTime = where * player.duration;
            };
            if (player.readyState > 0) seek();
            else player.onloadedmetadata = seek;
          }),
        part,
      ),
    /** How it stands; `hasPlayed` is lost with the element. */
    now: () =>
      video.evaluate((element: unknown) => {
        const player = element as Player;
        return {
          hasPlayed: player.played.length > 0,
          isPaused: player.paused,
          problem: player.error?.message ?? null,
          width: player.videoWidth,
        };
      }),
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

/** How GraphiQL names its texts. */
const MODELS = {
  operation: 'operation.graphql',
  variables: 'variables.json',
  headers: 'request-headers.json',
} as const;

type Editor = keyof typeof MODELS;

/** GraphiQL as somebody uses it, once it is there. */
export async function useGraphiql(page: Page) {
  const answer = page.locator('.graphiql-response .view-lines');
  const stop = page.getByRole('button', { name: /^Stop query/ });
  const model = (part: Editor): string =>
    `__MONACO.editor.getModels().find(({ uri }) => uri.path.endsWith('-${MODELS[part]}'))`;
  const writing = (part: Editor, text: string): string => `${model(part)}.setValue(${JSON.stringify(text)})`;

  /** The text of an editor, or the visible part of the answer. */
  async function read(part: Editor | 'answer'): Promise<string> {
    if (part !== 'answer') return String(await page.evaluate(`${model(part)}.getValue()`));
    // The editor renders each space as a no-break space.
    return (await answer.innerText()).replaceAll('\u00a0', ' ');
  }

  await page.locator('.graphiql-query-editor .view-lines').waitFor();
  await expect.poll(() => read('operation'), PATIENCE).not.toBe('');
  return {
    read,
    /** The names of the tabs, from left to right. */
    tabs: () => page.locator('[role=tab]').allInnerTexts(),
    activeTab: () => page.locator('[role=tab][aria-selected=true]').innerText(),
    /** Opens the tab of an operation; waits until it stands in the editor. */
    async openTab(name: string) {
      await page.getByRole('tab', { name, exact: true }).click();
      await expect.poll(() => read('operation'), PATIENCE).toMatch(new RegExp(`\\b${name}\\b`));
    },
    /** At once, not key by key: how Monaco takes keys and offers to complete words is not what is tested here. */
    write: (part: Editor, text: string) => page.evaluate(writing(part, text)),
    run: () => page.getByRole('button', { name: /^Execute query/ }).click(),
    /** Writes an operation and executes it at the same moment. */
    writeAndRun: (operation: string) =>
      page.evaluate(
        `${writing('operation', operation)}; document.querySelector('.graphiql-execute-button').click()`,
      ),
    /** Waits until a subscription goes on. */
    goesOn: () => stop.waitFor(),
    stop: () => stop.click(),
    /** Waits until the answer is like this; returns what the parentheses hold. */
    async answer(pattern: RegExp) {
      await expect.poll(() => read('answer'), PATIENCE).toMatch(pattern);
      return pattern.exec(await read('answer'))?.[1] ?? '';
    },
  };
}
