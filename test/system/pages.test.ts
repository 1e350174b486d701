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
