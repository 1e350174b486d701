import { expect, test } from 'vitest';
import { createLog } from '../../src/log/log.ts';
import { startGateway } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { createQueue } from '../kit/waits.ts';

type Line = Readonly<Record<string, unknown>>;

/** A gateway with a key, and the lines that it writes for requests. */
async function startLogged(env: Readonly<Record<string, string>> = {}, level = 'info') {
  const lines = createQueue<Line>('a line of a request');
  const write = (text: string): void => {
    const line = JSON.parse(text) as Line;
    if (line['msg'] === 'request') lines.push(line);
  };
  const log = createLog({ level, pretty: false }, { write });
  const gateway = await startGateway({ log, env: { API_KEYS: 'ada:key-of-ada', ...env } });
  return { ...gateway, lines };
}

const authorization = 'Bearer key-of-ada';

test('the line of a request says where it comes from, who sent it and which operation it is', async () => {
  const { graphqlUrl, lines } = await startLogged();
  await graphql(graphqlUrl, 'query Everything { __typename }', {}, { authorization });
  expect(await lines.take()).toMatchObject({
    level: 'info',
    method: 'POST',
    route: '/graphql',
    status: 200,
    address: '127.0.0.1',
    owner: 'ada',
    operation: 'Everything',
  });
});

test('the name of an operation is cut in the log', async () => {
  const { graphqlUrl, lines } = await startLogged();
  await graphql(graphqlUrl, `query ${'Long'.repeat(1000)} { __typename }`, {}, { authorization });
  expect(await lines.take()).toMatchObject({ operation: `${'Long'.repeat(50)}…` });
});

test('the line of a request that is refused names no owner', async () => {
  const { graphqlUrl, lines } = await startLogged();
  await graphql(graphqlUrl, '{ __typename }', {}, { authorization: 'Bearer somebody-elses-key' });
  const line = await lines.take();
  expect(line).toMatchObject({ status: 401, address: '127.0.0.1' });
  expect(line).not.toHaveProperty('owner');
});

test('probes are logged at debug', async () => {
  const { lines, url } = await startLogged({}, 'debug');
  for (const path of ['/health', '/ready', '/metrics', '/nowhere']) await (await fetch(url + path)).text();
  const taken = [await lines.take(), await lines.take(), await lines.take(), await lines.take()];
  expect(taken.map(({ level, route }) => [route, level])).toEqual([
    ['/health', 'debug'],
    ['/ready', 'debug'],
    ['/metrics', 'debug'],
    ['none', 'info'],
  ]);
});

test('an answer names its request as the log does', async () => {
  const { lines, url } = await startLogged();
  for (const [path, init] of [
    ['/nowhere', {}],
    ['/graphql', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }],
  ] as const) {
    const answer = await fetch(url + path, init);
    expect(answer.headers.get('x-request-id')).toBe((await lines.take())['reqId']);
  }
});

test('the id that a trusted proxy gave to a request names it, and no other', async () => {
  const idOf = async (url: string, id: string) =>
    (await fetch(`${url}/nowhere`, { headers: { 'x-request-id': id } })).headers.get('x-request-id');
  const behindProxy = await startLogged({ TRUSTED_PROXIES: '127.0.0.1' });
  expect(await idOf(behindProxy.url, 'edge-4711')).toBe('edge-4711');
  expect(await idOf(behindProxy.url, 'not "fit" for a log')).toMatch(/^req-/);
  expect(await idOf(behindProxy.url, 'x'.repeat(129))).toMatch(/^req-/);
  const reachedBy = await startLogged();
  expect(await idOf(reachedBy.url, 'edge-4711')).toMatch(/^req-/);
});
