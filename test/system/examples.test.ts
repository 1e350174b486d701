import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { parse, print, type DocumentNode } from 'graphql';
import { build, preview } from 'vite';
import { expect, test } from 'vitest';
import { TASKS } from '../kit/documents.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { createBody, videoUrl } from '../kit/kie.ts';
import { freePort, ROOT, startBuilt, startProcess } from '../kit/process.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { onTestEnd } from '../kit/waits.ts';
import { launchBrowser, openPage } from '../kit/browser.ts';
import { callBack, servedBy } from './client.ts';

const EXAMPLES = `${ROOT}examples/`;
const CLIENTS = ['apollo.ts', 'curl.sh', 'graphql-ws.ts', 'relay.ts', 'sse.ts', 'urql.ts'] as const;

test('every example comes through two kills of the gateway with one task, paid for once, and prints its video', async () => {
  const provider = await startFakeProvider();
  // The answer never comes: the first kill finds every mutation in the air.
  provider.always('createTask', { hang: true });
  const env = { ...servedBy(provider), DATA_DIR: await temporaryDir(), PORT: String(await freePort()) };
  const first = await startBuilt(env);
  const clients = CLIENTS.map((name) => {
    const [command, ...args] = name.endsWith('.sh') ? ['bash'] : [process.execPath, '--import', 'tsx'];
    return startProcess(command, [...args, EXAMPLES + name, name], { KINEOGRAPH_URL: first.url });
  });
  const creates = await Promise.all(CLIENTS.map(() => provider.received('createTask')));

  await first.end('SIGKILL');
  const second = await startBuilt(env);
  await Promise.all(clients.map(({ line }) => line((text) => text === 'SUBMITTING')));

  // Now everyone knows its task. What happens next, happens while they are away or on their way back.
  await second.end('SIGKILL');
  const third = await startBuilt(env);
  const videos = new Map<string, string>();
  for (const create of creates) {
    const id = `kie-${create.order}`;
    videos.set(createBody(create).input.prompt, videoUrl(id));
    await callBack(third.url, create, id);
  }

  for (const [index, client] of clients.entries()) {
    expect(await client.exited, client.stderr()).toEqual({ code: 0, signal: null });
    expect(client.stdout().trimEnd().split('\n').at(-1)).toBe(`SUCCESS ${videos.get(CLIENTS[index] ?? '')}`);
  }
  expect(provider.requests('createTask')).toHaveLength(CLIENTS.length);
  const { body } = await graphql(third.graphqlUrl, TASKS);
  expect(
    dataOf(body)
      .tasks.edges.map(({ node }) => node.prompt)
      .sort(),
  ).toEqual([...CLIENTS]);
});

test('every TypeScript example creates a video in a browser and shows its URL', async () => {
  const [gateway, outDir] = [await startBuilt({ DATA_DIR: await temporaryDir() }), await temporaryDir()];
  const shared = { root: EXAMPLES, configFile: false } as const;
  await build({ ...shared, logLevel: 'warn', build: { outDir, emptyOutDir: false } });
  const server = await preview({ ...shared, build: { outDir }, preview: { host: '127.0.0.1', port: 0 } });
  onTestEnd(() => server.close());
  const browser = await launchBrowser();
  const prompt = 'snow [sandbox: duration=50ms]';
  for (const client of ['apollo', 'graphql-ws', 'relay', 'sse', 'urql']) {
    const asked = new URLSearchParams({ client, prompt, url: gateway.url }).toString();
    const { page } = await openPage(browser, `${server.resolvedUrls?.local[0] ?? ''}#${asked}`);
    await page.getByText(/^SUCCESS http/m).waitFor();
  }
});

test.each<[string, string, (task: object) => object]>([
  ['event', 'subscription { tasksUpdated TASK }', (task) => ({ tasksUpdated: task })],
  ['answer', 'mutation { createImageToVideo { task TASK } }', (task) => ({ createImageToVideo: { task } })],
  ['list', '{ tasks { edges { node TASK } } }', (task) => ({ tasks: { edges: [{ node: task }] } })],
])(
  'Apollo’s cache keeps the larger revision, whichever of two an %s brings',
  async (_what, text, resultOf) => {
    // Only the examples have its package.
    const path = `${EXAMPLES}apollo-cache.ts`;
    const { createCache } = (await import(path)) as {
      readonly createCache: () => {
        writeQuery(options: { readonly query: DocumentNode; readonly data: object }): unknown;
        extract(): Readonly<Record<string, unknown>>;
      };
    };
    const cache = createCache();
    const write = (operation: string, data: object) => {
      cache.writeQuery({ query: parse(operation.replace('TASK', '{ __typename id revision state }')), data });
    };
    const taskOf = (revision: number) => ({ __typename: 'Task', id: '1', revision, state: `at ${revision}` });
    write('{ task TASK }', { task: taskOf(5) });
    write(text, resultOf(taskOf(4)));
    expect(cache.extract()['Task:1']).toMatchObject({ revision: 5, state: 'at 5' });
    write(text, resultOf(taskOf(6)));
    expect(cache.extract()['Task:1']).toMatchObject({ revision: 6, state: 'at 6' });
  },
);

test('what relay-compiler has made belongs to the operations as they are now', () => {
  const tags = [...readFileSync(`${EXAMPLES}relay/operations.ts`, 'utf8').matchAll(/graphql`([^`]*)`/g)];
  const hashes = tags.map(([, text = '']) =>
    createHash('md5')
      .update(print(parse(text)))
      .digest('hex'),
  );
  const folder = `${EXAMPLES}relay/__generated__/`;
  const made = readdirSync(folder).map((file) => readFileSync(folder + file, 'utf8'));
  expect(made.map((text) => /hash = "(\w+)"/.exec(text)?.[1]).sort()).toEqual(hashes.sort());
});
