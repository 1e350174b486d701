import { request as httpRequest, Agent } from 'node:http';
import { expect, test } from 'vitest';
import { deferred, takeFailures } from '../kit/waits.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { created, credit, notVisibleYet, record, refused } from '../kit/kie.ts';

const CREATE = '/api/v1/jobs/createTask';
const RECORD = '/api/v1/jobs/recordInfo?taskId=t1';
const CREDIT = '/api/v1/chat/credit';

function post(url: string, body: unknown): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer key' },
    body: JSON.stringify(body),
  });
}

function get(url: string, agent: Agent): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { agent }, (response) => {
      response.resume().once('end', () => {
        resolve(response.statusCode);
      });
    })
      .once('error', reject)
      .end();
  });
}

test('queued answers are given in order, each once, and the standing one when none is left', async () => {
  const provider = await startFakeProvider();
  provider.always('recordInfo', record('t1'));
  provider.answer('recordInfo', notVisibleYet(), refused(429, 'Rate limit exceeded', { http: 429 }));

  const answers = [];
  for (let i = 0; i < 3; i += 1) answers.push(await fetch(provider.url + RECORD));

  expect(answers.map(({ status }) => status)).toEqual([200, 429, 200]);
  const bodies = await Promise.all(answers.map((answer) => answer.json()));
  expect(bodies).toMatchObject([{ code: 422 }, { code: 429 }, { code: 200, data: { state: 'waiting' } }]);
});

test('an answer may be made of the request that gets it', async () => {
  const provider = await startFakeProvider();
  provider.always('recordInfo', async ({ query }) => Promise.resolve(record(query['taskId'] ?? '')));

  const answer = await fetch(provider.url + RECORD);

  expect(await answer.json()).toMatchObject({ data: { taskId: 't1' } });
});

test('a request is recorded with all that came', async () => {
  const provider = await startFakeProvider();
  provider.answer('createTask', created('t1'));

  await post(`${provider.url}${CREATE}?a=b`, { model: 'm' });

  expect(await provider.received('createTask')).toMatchObject({
    method: 'POST',
    path: CREATE,
    query: { a: 'b' },
    headers: { authorization: 'Bearer key' },
    body: { model: 'm' },
    rawBody: '{"model":"m"}',
    order: 1,
  });
});

test('a request that has come is received at once, a later one when it comes, and none twice', async () => {
  const provider = await startFakeProvider();
  provider.answer('credit', credit(1), credit(2));

  await fetch(provider.url + CREDIT);
  const first = await provider.received('credit');
  const second = provider.received('credit');
  await fetch(provider.url + CREDIT);

  expect([first.order, (await second).order]).toEqual([1, 2]);
  expect(provider.requests('credit')).toHaveLength(2);
  expect(provider.requests('recordInfo')).toHaveLength(0);
});

test('a request to wait for may be described', async () => {
  const provider = await startFakeProvider();
  provider.always('recordInfo', notVisibleYet());

  const received = provider.received('recordInfo', ({ query }) => query['taskId'] === 't1');
  await fetch(`${provider.url}/api/v1/jobs/recordInfo?taskId=other`);
  await fetch(provider.url + RECORD);

  expect((await received).order).toBe(2);
});

test('an unexpected request is answered with 599 and fails the test by name', async () => {
  const provider = await startFakeProvider();

  const answer = await fetch(provider.url + RECORD);

  expect(answer.status).toBe(599);
  expect(takeFailures().map(({ message }) => message)).toEqual([
    'Unexpected request to the fake provider: GET /api/v1/jobs/recordInfo?taskId=t1 (no answer is queued for recordInfo)',
  ]);
});

test('a request to a route that the provider does not have is unexpected', async () => {
  const provider = await startFakeProvider();

  const answer = await fetch(`${provider.url}/api/v1/jobs/cancel`);

  expect(answer.status).toBe(599);
  expect(takeFailures()[0]?.message).toContain('GET /api/v1/jobs/cancel (there is no such route)');
  expect(provider.requests()).toHaveLength(1);
});

test('an answer function that throws fails the test', async () => {
  const provider = await startFakeProvider();
  provider.answer('credit', () => {
    throw new Error('the test has a bug');
  });

  await expect(fetch(provider.url + CREDIT)).rejects.toThrow();

  expect(takeFailures()[0]?.message).toContain('the test has a bug');
});

test('answers that nobody asked for are listed and fail nothing', async () => {
  const provider = await startFakeProvider();
  provider.answer('credit', credit(1), credit(2));

  await fetch(provider.url + CREDIT);

  expect(provider.unused()).toEqual([{ route: 'credit', answer: credit(2) }]);
});

test('requests over one connection show the same port, and show when it is closed', async () => {
  const provider = await startFakeProvider();
  provider.always('credit', credit(1));
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  const fresh = new Agent({ keepAlive: false });

  for (const agent of [kept, kept, fresh]) await get(provider.url + CREDIT, agent);

  const [first, second, third] = provider.requests('credit');
  expect(first?.remotePort).toBe(second?.remotePort);
  expect(third?.remotePort).not.toBe(first?.remotePort);
  kept.destroy();
  await Promise.all([first?.closed, third?.closed]);
});

test('a closed provider cannot be reached and can come back on its port', async () => {
  const provider = await startFakeProvider();
  await provider.close();
  await expect(fetch(provider.url + CREDIT)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });

  const again = await startFakeProvider({ port: provider.port });
  again.answer('credit', credit(60.62));

  expect(await (await fetch(provider.url + CREDIT)).json()).toMatchObject({ data: 60.62 });
});

test('whoever waits for a request when the provider is closed is told', async () => {
  const provider = await startFakeProvider();
  const received = provider.received('credit');
  await provider.close();
  await expect(received).rejects.toThrow('The fake provider was closed');
});

test('a client that cuts its own request fails nothing', async () => {
  const provider = await startFakeProvider();
  const gone = deferred('the cut of the request');
  const request = httpRequest(provider.url + CREATE, { method: 'POST', headers: { 'content-length': 10 } });
  request.once('error', () => {
    gone.resolve();
  });
  request.write('12345', () => request.destroy());
  await gone.promise;
  await provider.close();
  expect(provider.requests()).toEqual([]);
});
