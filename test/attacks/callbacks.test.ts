import { expect, test } from 'vitest';
import { HMAC_KEY } from '../kit/gateway.ts';
import { created, record, callbackFail, callbackSuccess, deliverCallback, sign } from '../kit/kie.ts';
import { readTask, submit } from '../webhooks/called-back.ts';
import { startAttacked, type Attacked } from './bystander.ts';

const seconds = (): number => Math.floor(Date.now() / 1000);

/** A gateway under attack with a task that the provider has taken under this id. */
async function startTask(attacked: Attacked, providerTaskId: string) {
  const { gateway, provider } = attacked;
  provider.answer('createTask', created(providerTaskId));
  const task = await submit(gateway);
  const create = await provider.received('createTask');
  return {
    task,
    callback: gateway.callbackUrl(create),
    token: gateway.callbackUrl(create).split('/').at(-1) ?? '',
  };
}

async function startTwo() {
  const attacked = await startAttacked();
  attacked.provider.always('recordInfo', (request) => record(request.query['taskId'] ?? ''));
  const mine = await startTask(attacked, 'kie-1');
  const other = await startTask(attacked, 'kie-2');
  return { attacked, mine, other, base: `${attacked.gateway.url}/webhooks/kie` };
}

type Scene = Awaited<ReturnType<typeof startTwo>>;

const BODY = callbackSuccess('kie-1');

/** Callbacks that somebody makes who knows less than the provider. */
const FORGED: readonly {
  readonly what: string;
  readonly status: number;
  readonly url: (scene: Scene) => string;
  readonly body?: unknown;
  readonly headers?: () => Record<string, string>;
}[] = [
  { what: 'without a token', status: 404, url: ({ base, mine }) => `${base}/${mine.task.id}` },
  { what: 'with an empty token', status: 404, url: ({ base, mine }) => `${base}/${mine.task.id}/` },
  {
    what: 'with a made-up token',
    status: 401,
    url: ({ base, mine }) => `${base}/${mine.task.id}/${'A'.repeat(43)}`,
  },
  { what: 'with a shortened token', status: 401, url: ({ mine }) => mine.callback.slice(0, -1) },
  { what: 'with a lengthened token', status: 401, url: ({ mine }) => `${mine.callback}A` },
  {
    what: 'with the token of another task',
    status: 401,
    url: ({ base, mine, other }) => `${base}/${mine.task.id}/${other.token}`,
  },
  {
    what: "with the provider's id in the address",
    status: 401,
    url: ({ base, mine }) => `${base}/kie-1/${mine.token}`,
  },
  {
    what: 'with a task named __proto__',
    status: 401,
    url: ({ base, mine }) => `${base}/__proto__/${mine.token}`,
  },
  {
    what: "with another task's provider id",
    status: 409,
    url: ({ mine }) => mine.callback,
    body: callbackSuccess('kie-2'),
    headers: () => sign(HMAC_KEY, 'kie-2'),
  },
  { what: 'at the address of another task', status: 409, url: ({ other }) => other.callback },
  { what: 'unsigned', status: 401, url: ({ mine }) => mine.callback, headers: () => ({}) },
  {
    what: 'signed with another key',
    status: 401,
    url: ({ mine }) => mine.callback,
    headers: () => sign('guessed', 'kie-1'),
  },
  {
    what: 'signed long ago',
    status: 401,
    url: ({ mine }) => mine.callback,
    headers: () => sign(HMAC_KEY, 'kie-1', seconds() - 305),
  },
  {
    what: 'signed in the future',
    status: 401,
    url: ({ mine }) => mine.callback,
    headers: () => sign(HMAC_KEY, 'kie-1', seconds() + 330),
  },
  {
    what: 'with an old signature under a new time',
    status: 401,
    url: ({ mine }) => mine.callback,
    headers: () => ({
      ...sign(HMAC_KEY, 'kie-1', seconds() - 400),
      'X-Webhook-Timestamp': String(seconds()),
    }),
  },
  {
    what: 'with a time that is no number',
    status: 401,
    url: ({ mine }) => mine.callback,
    headers: () => ({ ...sign(HMAC_KEY, 'kie-1'), 'X-Webhook-Timestamp': '1e10' }),
  },
];

test.each(FORGED)(
  'a callback $what is refused and changes nothing',
  async ({ body, headers, status, url }) => {
    const scene = await startTwo();
    const { attacked, mine, other } = scene;
    const answer = await attacked.withstands(() =>
      deliverCallback(url(scene), body ?? BODY, headers?.() ?? sign(HMAC_KEY, 'kie-1')),
    );
    expect(answer.status).toBe(status);
    expect(answer.body).toHaveProperty('hint');
    expect(JSON.stringify(answer.body)).not.toMatch(
      new RegExp([mine.token, other.token, HMAC_KEY].join('|')),
    );
    for (const { task } of [mine, other]) expect(await readTask(attacked.gateway, task.id)).toEqual(task);
    expect((await deliverCallback(mine.callback, BODY, sign(HMAC_KEY, 'kie-1'))).status).toBe(200);
  },
);

test('callbacks that are repeated after the end of a task are taken and change nothing', async () => {
  const { attacked, mine } = await startTwo();
  const old = callbackSuccess('kie-1', { state: 'generating', resultJson: null });
  const signature = sign(HMAC_KEY, 'kie-1');
  for (const body of [old, BODY]) await deliverCallback(mine.callback, body, signature);
  const ended = await readTask(attacked.gateway, mine.task.id);
  expect(ended.state).toBe('SUCCESS');

  for (const body of [
    old,
    BODY,
    callbackFail('kie-1'),
    callbackSuccess('kie-1', { resultJson: '{"resultUrls":["https://evil.example/x.mp4"]}' }),
  ]) {
    const answer = await attacked.withstands(() => deliverCallback(mine.callback, body, signature));
    expect(answer.status).toBe(200);
    expect(await readTask(attacked.gateway, mine.task.id)).toEqual(ended);
  }
});

test('a callback of the wrong shape, deep or with names of prototypes, is refused and changes nothing', async () => {
  const { attacked, mine } = await startTwo();
  const bodies = [
    '{"__proto__":{"code":200,"data":{"taskId":"kie-1"}}}',
    '{"code":200,"data":{"__proto__":{"taskId":"kie-1","state":"fail"}}}',
    `{"code":200,"data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    '{"code":200,"data":{"taskId":{"toString":"kie-1"}}}',
  ];
  for (const body of bodies) {
    const answer = await attacked.withstands(() =>
      deliverCallback(mine.callback, body, sign(HMAC_KEY, 'kie-1')),
    );
    expect([body.slice(0, 60), answer.status]).toEqual([body.slice(0, 60), 400]);
  }
  expect(await readTask(attacked.gateway, mine.task.id)).toEqual(mine.task);
});
