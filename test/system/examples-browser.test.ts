import { build, preview } from 'vite';
import { test } from 'vitest';
import { temporaryDir } from '../kit/gateway.ts';
import { onTestEnd } from '../kit/waits.ts';
import { ROOT, startBuilt } from '../kit/process.ts';
import { startBrowser } from './browser.ts';

test('every TypeScript example creates a video in a browser and shows its URL', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir(), PORT: '0' });
  const page = await servePage(await temporaryDir());
  const prompt = 'snow [sandbox: duration=50ms]';
  for (const client of ['apollo', 'graphql-ws', 'relay', 'sse', 'urql']) {
    const browser = await startBrowser(page);
    await browser.page.goto(
      `${page}#${new URLSearchParams({ client, prompt, url: gateway.url }).toString()}`,
    );
    await browser.page.getByText(/^SUCCESS http/m).waitFor();
  }
});

/** Bundles the page of the examples, serves it until the test ends, and resolves with its URL. */
async function servePage(outDir: string): Promise<string> {
  const root = `${ROOT}examples`;
  await build({ root, configFile: false, logLevel: 'warn', build: { outDir, emptyOutDir: false } });
  const server = await preview({
    root,
    configFile: false,
    build: { outDir },
    preview: { host: '127.0.0.1', port: 0 },
  });
  onTestEnd(() => server.close());
  return server.resolvedUrls?.local[0] ?? '';
}
