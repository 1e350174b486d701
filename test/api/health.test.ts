import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { DatabaseSync } from '../../src/store/sqlite/driver.ts';
import type { AppOptions } from '../../src/app/create-app.ts';
import { StoreUnavailableError } from '../../src/tasks/store.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';

async function get(url: string, init: RequestInit = {}) {
  const response = await fetch(url, init);
  const { headers, status } = response;
  const type = headers.get('content-type')?.split(';')[0];
  return { status, type, retryAfter: headers.get('retry-after'), body: (await response.json()) as unknown };
}

function problem(status: number, title: string) {
  return {
    status,
    type: 'application/problem+json',
    body: {
      type: 'about:blank',
      title,
      status,
      detail: expect.stringMatching(/./) as string,
      hint: expect.stringMatching(/./) as string,
    },
  };
}

describe('/health and /ready', () => {
  it('say that all is well', async () => {
    const { url } = await startGateway({ provider: await startFakeProvider() });
    for (const path of ['/health', '/ready'])
      expect(await get(url + path)).toMatchObject({ status: 200, body: { status: 'ok' } });
  });

  it('differ while the store cannot be reached: alive, but not to be sent anything', async () => {
    let isAway = true;
    const wrap: NonNullable<NonNullable<AppOptions['overrides']>['wrap']> = (ports) => ({
      ...ports,
      store: {
        ...ports.store,
        ping: () => (isAway ? Promise.reject(new StoreUnavailableError('hush')) : ports.store.ping()),
      },
    });
    const { url } = await startGateway({ provider: await startFakeProvider(), overrides: { wrap } });
    expect((await get(`${url}/health`)).status).toBe(200);
    const answer = await get(`${url}/ready`);
    expect(answer).toMatchObject(problem(503, 'Service Unavailable'));
    expect(answer.retryAfter).toMatch(/^\d+$/);
    expect(JSON.stringify(answer.body)).not.toContain('hush');

    isAway = false;
    expect((await get(`${url}/ready`)).status).toBe(200);
  });

  it('do not depend on the provider', async () => {
    const provider = await startFakeProvider();
    const { url } = await startGateway({ provider });
    await provider.close();
    expect((await get(`${url}/ready`)).status).toBe(200);
  });

  it('differ while the store can be read and not written, and agree again by themselves', async () => {
    const { dataDir, url } = await startGateway({ provider: await startFakeProvider() });
    const database = new DatabaseSync(join(dataDir, 'kineograph.db'));
    try {
      database.exec('BEGIN IMMEDIATE');
      let ready = await get(`${url}/ready`);
      // A commit of a moment ago still proves that the store can write.
      while (ready.status === 200) ready = await get(`${url}/ready`);
      expect(ready).toMatchObject(problem(503, 'Service Unavailable'));
      expect((await get(`${url}/health`)).status).toBe(200);
    } finally {
      database.close();
    }
    while ((await get(`${url}/ready`)).status !== 200) await setImmediate();
  });
});

describe('an address that nothing is at', () => {
  it.each([
    ['GET', '/nowhere'],
    ['POST', '/nowhere'],
    ['GET', '/graphql/nowhere'],
    ['GET', '/webhooks'],
  ])('is answered with 404 and where the API is: %s %s', async (method, path) => {
    const { url } = await startGateway({ provider: await startFakeProvider() });
    const answer = await get(url + path, { method });
    expect(answer).toMatchObject(problem(404, 'Not Found'));
    expect(JSON.stringify(answer.body)).toContain('/graphql');
  });

  it('is answered with 400 when it is not even an address', async () => {
    const { url } = await startGateway({ provider: await startFakeProvider() });
    expect(await get(`${url}/%ff`)).toMatchObject(problem(400, 'Bad Request'));
  });
});
