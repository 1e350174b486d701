import { createClient } from 'graphql-ws';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type ApiTask, TASK_UPDATED } from '../../kit/documents.ts';
import { startFakeProvider } from '../../kit/provider.ts';
import { HMAC_KEY, startReplica } from '../../kit/gateway.ts';
import { callbackSuccess, deliverCallback, sign, createBody, created, notVisibleYet } from '../../kit/kie.ts';
import { onTestEnd, createQueue } from '../../kit/waits.ts';
import { temporaryDatabase } from '../../kit/store.ts';
import { openSse } from '../../kit/sse.ts';
import { createTask } from '../client.ts';
import { startCaddy } from './caddy.ts';

test('behind the load balancer of deploy/ a replica may die: sockets, event streams and callbacks go on with the other', async () => {
  const provider = await startFakeProvider();
  provider.always('recordInfo', notVisibleYet());
  const databaseUrl = await temporaryDatabase();
  const env = {
    KIE_API_URL: provider.url,
    KIE_WEBHOOK_HMAC_KEYS: HMAC_KEY,
    PUBLIC_URL: 'https://video.example.test',
    TRUSTED_PROXIES: '127.0.0.1',
  };
  const start = (name: string) => startReplica(name, { databaseUrl, env });
  const [one, other] = await Promise.all([start('one'), start('other')]);
  const url = await startCaddy([one.url, other.url]);
  const graphqlUrl = `${url}/graphql`;

  provider.answer('createTask', created('kie-1'));
  const { id } = await createTask(graphqlUrl);
  // The balancer gives the second to the replica that has not got the first.
  const socket = watchOverSocket(graphqlUrl, id);
  expect(await socket.connected.take()).toBe('WAITING');
  const events = watchOverEvents(graphqlUrl, id);
  expect(await events.connected.take()).toBe('WAITING');

  one.signal('SIGKILL');
  await one.exited;
  expect(await Promise.race([socket.connected.take(), events.connected.take()])).toBe('WAITING');

  const [request] = provider.requests('createTask');
  if (!request) throw new Error('nothing was created');
  const { pathname } = new URL(String(createBody(request).callBackUrl));
  const signature = sign(HMAC_KEY, 'kie-1');
  expect((await deliverCallback(url + pathname, callbackSuccess('kie-1'), signature)).status).toBe(200);
  expect(await Promise.all([socket.last, events.last])).toEqual(['SUCCESS', 'SUCCESS']);
});

type State = ApiTask['state'];

/** One who follows a task and comes back when the connection is cut. */
interface Watcher {
  /** The state that each connection began with. */
  readonly connected: { take(): Promise<State> };
  readonly last: Promise<State>;
}

function watchOverSocket(graphqlUrl: string, id: string): Watcher {
  const connected = createQueue<State>('the first state over a socket');
  let isFirst = true;
  const client = createClient({
    url: graphqlUrl.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    retryWait: () => Promise.resolve(),
    on: { connected: () => (isFirst = true) },
  });
  onTestEnd(() => client.dispose());
  const follow = async (): Promise<State> => {
    let last: State | undefined;
    const results = client.iterate<{ readonly taskUpdated: ApiTask }>({
      query: TASK_UPDATED,
      variables: { id },
    });
    for await (const { data } of results) {
      last = data?.taskUpdated.state;
      if (isFirst && last) connected.push(last);
      isFirst = false;
    }
    return last ?? 'FAIL';
  };
  return { connected, last: follow() };
}

function watchOverEvents(graphqlUrl: string, id: string): Watcher {
  const connected = createQueue<State>('the first state over an event stream');
  const follow = async (): Promise<State> => {
    try {
      const stream = await openSse(graphqlUrl, { query: TASK_UPDATED, variables: { id } });
      let last = (await stream.data()).taskUpdated.state;
      connected.push(last);
      for await (const { data } of stream) last = data?.taskUpdated.state ?? last;
      return last;
    } catch {
      // Cut; or, once, a 502 when the balancer sends it over a connection whose end it has not noticed yet.
      return follow();
    }
  };
  return { connected, last: follow() };
}
