import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { parse, print, type DocumentNode } from 'graphql';
import { expect, test } from 'vitest';
import { TASKS } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { freePort, ROOT, startBuilt, startProcess } from '../kit/process.ts';
import { HMAC_KEY, temporaryDir } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { videoUrl, callbackSuccess, deliverCallback, sign, createBody } from '../kit/kie.ts';

const EXAMPLES = `${ROOT}examples/`;
const CLIENTS = ['apollo.ts', 'curl.sh', 'graphql-ws.ts', 'relay.ts', 'sse.ts', 'urql.ts'] as const;

test('every example comes through two kills of the gateway with one task, paid for once, and prints its video', async () => {
  const provider = await startFakeProvider();
  // The answer never comes: the first kill finds every mutation in the air.
  provider.always('createTask', { hang: true });
  const env = {
    DATA_DIR: await temporaryDir(),
    KIE_API_KEY: 'test-key',
    KIE_API_URL: provider.url,
    KIE_WEBHOOK_HMAC_KEYS: HMAC_KEY,
    PUBLIC_URL: 'https://gateway.example.test',
    PORT: String(await freePort()),
  };
  const first = await startBuilt(env);
  const clients = CLIENTS.map((name) => {
    const [command, ...args] = name.endsWith('.sh') ? ['bash'] : [process.execPath, '--import', 'tsx'];
    return startProcess(command, [...args, EXAMPLES + name, name], { KINEOGRAPH_URL: first.url });
  });
  const creates = await Promise.all(CLIENTS.map(() => provider.received('createTask')));

  const kill = async ({ exited, signal }: typeof first): Promise<void> => {
    signal('SIGKILL');
    await exited;
  };
  await kill(first);
  const second = await startBuilt(env);
  await Promise.all(clients.map(({ line }) => line((text) => text === 'SUBMITTING')));

  // Now everyone knows its task. What happens next, happens while they are away or on their way back.
  await kill(second);
  const third = await startBuilt(env);
  const videos = new Map(
    creates.map((create) => [createBody(create).input.prompt, videoUrl(`kie-${create.order}`)]),
  );
  for (const create of creates) {
    const id = `kie-${create.order}`;
    const path = new URL(createBody(create).callBackUrl ?? '').pathname;
    await deliverCallback(third.url + path, callbackSuccess(id), sign(HMAC_KEY, id));
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

/** What is used of Apollo's cache: only the examples have its package. */
interface ApolloCache {
  write(options: { readonly dataId: string; readonly query: DocumentNode; readonly result: object }): unknown;
  extract(): Readonly<Record<string, unknown>>;
}

const FIELDS = '{ __typename id revision state videos { url } }';
const WAYS = {
  'an event': {
    dataId: 'ROOT_SUBSCRIPTION',
    query: `subscription { tasksUpdated ${FIELDS} }`,
    result: (task: object) => ({ tasksUpdated: task }),
  },
  'the answer to the mutation': {
    dataId: 'ROOT_MUTATION',
    query: `mutation { createImageToVideo { __typename ... on CreateImageToVideoSuccess { task ${FIELDS} } } }`,
    result: (task: object) => ({
      createImageToVideo: { __typename: 'CreateImageToVideoSuccess', task },
    }),
  },
  'a list': {
    dataId: 'ROOT_QUERY',
    query: `{ tasks { __typename edges { __typename node ${FIELDS} } } }`,
    result: (task: object) => ({
      tasks: { __typename: 'TaskConnection', edges: [{ __typename: 'TaskEdge', node: task }] },
    }),
  },
};

test.each(Object.entries(WAYS))(
  'Apollo’s cache, told by %s, keeps the larger revision',
  async (_way, way) => {
    const path = `${EXAMPLES}apollo-cache.ts`;
    const { createCache } = (await import(path)) as { createCache: () => ApolloCache };
    const cache = createCache();
    const tell = (
      { dataId, query, result }: (typeof WAYS)[keyof typeof WAYS],
      revision: number,
      state: string,
    ) =>
      cache.write({
        dataId,
        query: parse(query),
        result: result({ __typename: 'Task', id: '1', revision, state, videos: [] }),
      });

    tell(WAYS['an event'], 5, 'GENERATING');
    tell(way, 4, 'WAITING');
    expect(cache.extract()['Task:1']).toMatchObject({ revision: 5, state: 'GENERATING' });
    tell(way, 6, 'SUCCESS');
    expect(cache.extract()['Task:1']).toMatchObject({ revision: 6, state: 'SUCCESS' });
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
  // Else: npm --prefix examples ci && npm --prefix examples run relay
  expect(made.map((text) => /hash = "(\w+)"/.exec(text)?.[1]).sort()).toEqual(hashes.sort());
});
