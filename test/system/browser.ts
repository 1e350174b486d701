import { chromium, type BrowserContextOptions, type Page } from 'playwright-core';
import { onTestEnd } from '../kit/waits.ts';

export interface TestBrowser {
  /** A tab of its own, in a profile of its own. */
  readonly page: Page;
  /**
   * All that went wrong so far: errors on the console, among them violations of a content security policy; exceptions that
   * nobody caught; requests that failed, and such as went to another host.
   */
  readonly troubles: () => readonly string[];
}

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

/** Starts Chromium for a site at `url`; it is closed at the end of the test. */
export async function startBrowser(url: string, options: BrowserContextOptions = {}): Promise<TestBrowser> {
  const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, headless: true, args: ARGS });
  onTestEnd(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, ...options });
  page.context().setDefaultTimeout(PATIENCE_MS);
  return { page, troubles: watch(page, new URL(url).host) };
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
