import { deliverCallback, callbackSuccess, createBody } from '../../kit/kie.ts';
import { CREATE, input } from '../../kit/documents.ts';
import { graphql } from '../../kit/graphql.ts';
import { openGraphqlWs } from '../../kit/graphql-ws.ts';
import { imageBytes } from '../../kit/images.ts';
import { addTask } from '../../websocket/stored-tasks.ts';
import { collect, costsLike, lanes } from './crowd.ts';
import { NEIGHBOUR, OTHER, type Attack, type Target } from './kit.ts';
import { allClosed, chunksOfOneByte, openRawConnection, patience, requestHead } from './raw.ts';

const AUTHORIZATION = `Authorization: ${NEIGHBOUR.authorization}`;
const STATES = ['SUBMITTING', 'WAITING', 'QUEUING', 'GENERATING', 'SUCCESS', 'FAIL'];
const BY_STATES = 'query ($states: [TaskState!]) { tasks(first: 1, states: $states) { revision } }';

/** What one owner does, with a key, against the others. */
export const BY_NEIGHBOURS: readonly Attack[] = [
  {
    promise: 'with a key, too, a body in chunks of one byte takes no more memory than its limit',
    maxGrowthMib: 60,
    run: async ({ port }) => {
      const fields = [AUTHORIZATION, 'Content-Type: application/json', 'Transfer-Encoding: chunked'];
      await collect(8, () =>
        openRawConnection(port).pour([requestHead('POST /graphql', ...fields), ...chunksOfOneByte(250_000)]),
      );
      await patience();
    },
  },
  {
    promise: 'a variable that is full of suggestions costs next to nothing where those are taken out',
    env: { INTROSPECTION: 'false' },
    run: async (target) => {
      const wrong = (state: string) => () => ask(target, BY_STATES, { states: [state] });
      await costsLike(wrong('Did I mean it'.repeat(1500)), wrong('Did you mean '.repeat(1500)));
    },
  },
  {
    promise: 'answers that nobody reads are neither made ahead nor kept',
    env: { SLOW_READER_MS: '1000' },
    seed: async (store) => {
      for (let index = 0; index < 100; index += 1)
        await addTask(store, { owner: 'neighbour', prompt: '雪'.repeat(1500) });
    },
    run: async ({ port }) => {
      const list = 'tasks(first: 100) { edges { node { id prompt } } }';
      const request = postOf(JSON.stringify({ query: `{ a: ${list} b: ${list} }` }));
      const connections = await collect(6, async () => {
        const connection = openRawConnection(port);
        connection.pause();
        await connection.pour([request.repeat(108)]);
        return connection;
      });
      await patience();
      // Those that were cut end as soon as the rest is read.
      for (const connection of connections) connection.resume();
      if (!(await allClosed(connections))) throw new Error('Connections that nobody reads stay open');
    },
  },
  {
    promise: 'lists of any length leave nothing behind',
    run: async (target) => {
      for (let turn = 0; turn < 80; turn += 1)
        await ask(target, BY_STATES, { states: listOf(30_000 + turn) });
    },
  },
  {
    promise: 'a list of tens of thousands of values is no outage',
    run: async (target) => {
      const { code } = await ask(target, BY_STATES, { states: Array(36_500).fill('FAIL') });
      if (code === 'SERVICE_UNAVAILABLE') throw new Error('A long list is answered as an outage');
    },
  },
  {
    promise: 'documents that are refused leave nothing behind',
    maxGrowthMib: 90,
    run: async (target) => {
      await lanes(8, 100, async (lane, turn) => {
        const fields = Array.from({ length: 240 }, (_, index) => `a${index}:__typename`);
        await ask(target, `{ l${lane}t${turn}:__typename ${fields.join(' ')} }`, {});
      });
    },
  },
  {
    promise: 'somebody who has nothing waiting may create, however much others have',
    // The queue holds what can be sent in ten minutes.
    env: { CREATE_WAIT_MS: '0', KIE_CREATES_PER_10S: '2' },
    run: async (target) => {
      await lanes(10, 15, async () => {
        await ask(target, CREATE, { input: input({ prompt: 'snow [sandbox: duration=10m]' }) });
      });
      const answer = await ask(target, CREATE, { input: input() }, OTHER);
      if (!answer.text.includes('CreateImageToVideoSuccess'))
        throw new Error(`Somebody else is answered ${answer.text}`);
    },
  },
  {
    promise: 'uploads that do not move keep nobody else from uploading',
    run: async ({ port, url }) => {
      const image = await imageBytes();
      const head = requestHead(
        'POST /uploads',
        AUTHORIZATION,
        'Content-Type: image/png',
        'Content-Length: 1000000',
      );
      await collect(100, () => openRawConnection(port).pour([head, image.subarray(0, 1000)]));
      const headers = { ...OTHER, 'content-type': 'image/png' };
      const answer = await fetch(`${url}/uploads`, { method: 'POST', headers, body: Uint8Array.from(image) });
      if (answer.status !== 201) throw new Error(`Somebody else is answered ${await answer.text()}`);
    },
  },
  {
    promise: 'thousands of subscriptions that share nothing do not hold up others',
    env: { MAX_OPERATIONS_PER_SECOND: '1000' },
    run: async (target) => {
      const perSocket = 99;
      const sockets = await collect(31, async (number) => {
        const socket = await openGraphqlWs(target.graphqlUrl, { connectionParams: NEIGHBOUR });
        for (let index = 0; index < perSocket; index += 1) {
          const field = `s${number * perSocket + index}: id state prompt videos { url }`;
          const payload = { query: `subscription { tasksUpdated { ${field} } }` };
          socket.send({ type: 'subscribe', id: String(index), payload });
        }
        // Its operations begin in order, so that all are there when the last one is answered.
        socket.send({ type: 'subscribe', id: 'last', payload: { query: '{ __typename }' } });
        await socket.message(({ id }) => id === 'last');
        return socket;
      });
      // All of them hear of it more than once: it is created and goes through its states.
      await ask(target, CREATE, { input: input({ prompt: 'snow [sandbox: duration=1s]' }) });
      await Promise.all(
        sockets.map(async ({ message }) => {
          for (let told = 0; told < perSocket; told += 1)
            await message(({ type, id }) => type === 'next' && id !== 'last');
        }),
      );
    },
  },
  {
    promise: 'one callback that comes a thousand times takes one query',
    scripted: true,
    run: async ({ provider, ...target }) => {
      await ask(target, CREATE, { input: input() });
      const { callBackUrl = '' } = createBody(await provider.received('createTask'));
      const callback = target.url + new URL(callBackUrl).pathname;
      await lanes(10, 24, async () => {
        await deliverCallback(callback, callbackSuccess('kie-1'));
      });
      const queries = provider.requests('recordInfo').length;
      if (queries > 3) throw new Error(`It was asked for ${queries} times`);
    },
  },
];

function listOf(length: number): readonly string[] {
  return Array.from({ length }, (_, index) => STATES[index % STATES.length] ?? '');
}

function postOf(json: string): string {
  const length = `Content-Length: ${Buffer.byteLength(json)}`;
  return requestHead('POST /graphql', AUTHORIZATION, 'Content-Type: application/json', length) + json;
}

/** Sends an operation of the neighbour's and reads the answer whole. */
async function ask(
  { graphqlUrl }: Pick<Target, 'graphqlUrl'>,
  query: string,
  variables: Readonly<Record<string, unknown>>,
  who = NEIGHBOUR,
): Promise<{ readonly text: string; readonly code: unknown }> {
  const { body } = await graphql(graphqlUrl, query, variables, who);
  return { text: JSON.stringify(body).slice(0, 500), code: body.errors?.[0]?.extensions?.['code'] };
}
