import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { headOf, sendRaw } from '../attacks/raw-http.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { startBuilt } from '../kit/process.ts';

const METHODS = ['TRACE', 'PROPFIND', 'QUERY', 'PATCH'];

test('a page and its files take GET and HEAD, and answer other methods with 405 and OPTIONS with 204', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
  const port = Number(new URL(gateway.url).port);
  const send = async (method: string, path: string) => {
    const answer = await sendRaw(port, headOf(`${method} ${path}`, 'Host: localhost', 'Connection: close'));
    const [, allow] = /^allow: (.*)$/im.exec(answer.head) ?? [];
    return { answer, told: [path, method, answer.status, allow] };
  };
  for (const path of ['/', '/tasks/x', '/assets/x.js']) {
    expect((await send('OPTIONS', path)).told).toEqual([path, 'OPTIONS', 204, 'GET, HEAD']);
    for (const method of METHODS) {
      const { answer, told } = await send(method, path);
      expect(told).toEqual([path, method, 405, 'GET, HEAD']);
      expect(answer.head).toContain('application/problem+json');
      expect(JSON.parse(answer.body)).toMatchObject({ status: 405, hint: expect.any(String) as string });
    }
  }
});

const ASSETS = new URL('../../dist/dashboard/assets/', import.meta.url);

test('a file of the pages is sent once, in the best encoding that its client accepts, and kept for good', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
  const port = Number(new URL(gateway.url).port);
  const name = (await readdir(ASSETS)).find((file) => file.endsWith('.js')) ?? '';
  const send = (method: string, ...headers: readonly string[]) =>
    sendRaw(port, headOf(`${method} /assets/${name}`, 'Host: localhost', 'Connection: close', ...headers));
  for (const [accepted, encoding] of [
    ['gzip, br', 'br'],
    ['GZIP;q=0.5, br;q=0', 'gzip'],
    ['identity', undefined],
  ]) {
    const { head, status } = await send('HEAD', `Accept-Encoding: ${accepted}`);
    expect([status, /^content-encoding: (.*)$/im.exec(head)?.[1]]).toEqual([200, encoding]);
    expect(head).toMatch(/^content-type: text\/javascript; charset=utf-8$/im);
    expect(head).toMatch(/^cache-control: public, max-age=31536000, immutable$/im);
    const [, etag = ''] = /^etag: (.*)$/im.exec(head) ?? [];
    const again = await send('GET', `Accept-Encoding: ${accepted}`, `If-None-Match: ${etag}`);
    expect([again.status, again.body]).toEqual([304, '']);
  }
});

test('no path leads out of the files of the pages, and each such path is answered with a hint', async () => {
  const gateway = await startBuilt({ DATA_DIR: await temporaryDir() });
  const port = Number(new URL(gateway.url).port);
  for (const [path, expected] of [
    ['/assets/%2e%2e/x', 404],
    ['/assets/../index.html', 404],
    ['/assets/..%2findex.html', 404],
    ['/assets/', 404],
    ['/assets/%zz', 400],
  ] as const) {
    const answer = await sendRaw(port, headOf(`GET ${path}`, 'Host: localhost', 'Connection: close'));
    expect([path, answer.status]).toEqual([path, expected]);
    expect(answer.head).toContain('application/problem+json');
    expect(JSON.parse(answer.body)).toMatchObject({ status: expected, hint: expect.any(String) as string });
  }
});
