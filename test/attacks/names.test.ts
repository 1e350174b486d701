import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { change, addTask } from '../websocket/stored-tasks.ts';
import { CREATE, TASK, TASKS, TASK_UPDATED, input } from '../kit/documents.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { onTestEnd } from '../kit/waits.ts';
import { startAttacked } from './bystander.ts';
import { DOORS, httpGet, sseGet } from './doors.ts';

const LONG = 'x'.repeat(200_000);
const STRANGE = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '',
  '\0',
  '\ud800',
  LONG,
];
/** 200,000 characters do not fit into an address. */
const DOORS_FOR_LONG = DOORS.filter((door) => door !== httpGet && door !== sseGet);
const doorsFor = (text: string) => (text === LONG ? DOORS_FOR_LONG : DOORS);
const shown = STRANGE.map((text) => [JSON.stringify(text).slice(0, 20), text] as const);

test('an id that is strange or too long is the id of no task', async () => {
  const { gateway, withstands } = await startAttacked();
  for (const id of STRANGE) {
    for (const door of doorsFor(id)) {
      const operation = { query: TASK, variables: { id } };
      const { data, errors } = await withstands(() => door.send(gateway.graphqlUrl, operation));
      expect([door.name, data, errors]).toEqual([door.name, { task: null }, []]);
      const watch = { query: TASK_UPDATED, variables: { id } };
      const told = await withstands(() => door.send(gateway.graphqlUrl, watch));
      if (door.name !== 'HTTP POST' && door.name !== 'HTTP GET')
        expect(told.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
      expect(told.data ?? null).toBeNull();
      expect(told.text.length).toBeLessThan(1000);
    }
  }
});

test('a cursor that is strange or too long is refused, and not repeated', async () => {
  const { gateway, withstands } = await startAttacked();
  for (const after of STRANGE) {
    for (const door of doorsFor(after)) {
      const operation = { query: TASKS, variables: { after } };
      const { data, errors, text } = await withstands(() => door.send(gateway.graphqlUrl, operation));
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
      expect(data).toBeNull();
      expect(text.length).toBeLessThan(1000);
    }
  }
});

test('an idempotency key that is too long, or would not survive, makes no task', async () => {
  const { gateway, provider, withstands } = await startAttacked();
  for (const idempotencyKey of [LONG, 'x'.repeat(256), '\0', '\ud800', ''])
    for (const door of DOORS_FOR_LONG) {
      const operation = { query: CREATE, variables: { input: input({ idempotencyKey }) } };
      const { data } = await withstands(() => door.send(gateway.graphqlUrl, operation));
      expect(data).toMatchObject({ createImageToVideo: { __typename: 'ValidationError' } });
      expect(JSON.stringify(data).length).toBeLessThan(1000);
    }
  expect(provider.requests()).toEqual([]);
});

test.each(['__proto__', 'constructor'])('variables named %s change nothing for anybody', async (name) => {
  const { gateway, provider, withstands } = await startAttacked();
  const evil = `{"${name}":{"id":"x","polluted":true,"prototype":{"polluted":true}}}`;
  const inputs = `{"input":{"${name}":{"prompt":"x","imageUrl":"https://a.example"}}}`;
  for (const variables of [JSON.parse(evil), JSON.parse(inputs)] as Record<string, unknown>[])
    for (const door of DOORS) {
      const query = 'input' in variables ? CREATE : TASK;
      const { data, errors } = await withstands(() => door.send(gateway.graphqlUrl, { query, variables }));
      // A mutation by GET is refused for that.
      expect(errors).not.toEqual([]);
      expect(data ?? null).toBeNull();
    }
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  expect(provider.requests()).toEqual([]);
});

test('connection params with names of prototypes prove nothing', async () => {
  const key = 'key-of-ada-with-enough-characters';
  const { gateway, withstands } = await startAttacked({
    env: { API_KEYS: `ada:${key}` },
    owner: 'ada',
    authorization: `Bearer ${key}`,
  });
  for (const name of ['__proto__', 'constructor', 'prototype']) {
    const client = await openGraphqlWs(gateway.graphqlUrl, { init: false });
    client.send(
      `{"type":"connection_init","payload":{"${name}":{"authorization":"Bearer ${key}"},"polluted":true}}`,
    );
    expect(await withstands(() => client.closed)).toMatchObject({ code: 4403 });
  }
});

test.each(shown.filter(([, id]) => id !== '' && id.length <= 128))(
  'a subscription with the id %s works like any other',
  async (_, id) => {
    const { gateway, ports, withstands } = await startAttacked();
    const task = await addTask(ports.store);
    const client = await openGraphqlWs(gateway.graphqlUrl);
    // A lone surrogate does not survive UTF-8: the client names it as it will come back.
    const name = Buffer.from(id).toString();
    const watch = client.subscribe({ query: TASK_UPDATED, variables: { id: task.id } }, name);
    await withstands(() => watch.next());
    const { revision } = await change(ports.store, task);
    expect((await watch.data()).taskUpdated).toMatchObject({ revision });
    watch.stop();
    await client.subscribe({ query: '{ __typename }' }, 'after').data();
    await client.subscribe({ query: '{ __typename }' }, name).data();
  },
);

test.each([
  'graphql-transport-ws\u00e9',
  'graphql-transport-ws; x=1',
  'graphql-transport-ws x',
  '__proto__',
  `${'p,'.repeat(2000)}p`,
])('the subprotocol %j brings no header of its own and opens nothing', async (protocol) => {
  const { gateway, withstands } = await startAttacked();
  const end = await withstands(() => endOf(gateway.graphqlUrl, protocol));
  expect(['4406', 'Unexpected server response: 400']).toContain(end.end);
  expect(end.headers).toEqual([]);
});

/** How a socket that asks for a subprotocol ends, and what the server says of subprotocols. */
function endOf(
  url: string,
  protocol: string,
): Promise<{ readonly end: string; readonly headers: readonly string[] }> {
  const headers: string[] = [];
  const socket = new WebSocket(url.replace(/^http/, 'ws'), {
    headers: { 'sec-websocket-protocol': Buffer.from(protocol).toString('latin1') },
  });
  onTestEnd(() => {
    socket.terminate();
  });
  socket.on('upgrade', (response) =>
    headers.push(...[response.headers['sec-websocket-protocol'] ?? []].flat()),
  );
  return new Promise((resolve) => {
    socket.on('error', ({ message }) => {
      resolve({ end: message, headers });
    });
    socket.on('close', (code) => {
      resolve({ end: String(code), headers });
    });
  });
}
