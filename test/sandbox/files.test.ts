import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSandboxFiles } from '../../src/sandbox/files.ts';
import { startClient } from './client.ts';

const CLIP = new URL('../../assets/kineograph.mp4', import.meta.url);

/** A result file of a new sandbox. */
async function resultUrl(): Promise<string> {
  const sandbox = await startClient();
  const { resultJson } = await sandbox.record(await sandbox.create('[sandbox: duration=0s]'));
  const { resultUrls } = JSON.parse(resultJson) as { resultUrls: [string] };
  return resultUrls[0];
}

describe('result files', () => {
  it('are MP4 videos with their length', async () => {
    const response = await fetch(await resultUrl());
    const video = Buffer.from(await response.arrayBuffer());
    expect(response.headers.get('content-type')).toBe('video/mp4');
    expect(response.headers.get('content-length')).toBe(String(video.length));
    expect(response.headers.get('accept-ranges')).toBe('bytes');
    expect(video.equals(await readFile(CLIP))).toBe(true);
    expect(video.toString('latin1', 4, 8)).toBe('ftyp');
  });

  it('are served in parts, as players seek', async () => {
    const { size } = await stat(CLIP);
    const response = await fetch(await resultUrl(), { headers: { range: 'bytes=4-7' } });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(`bytes 4-7/${size}`);
    expect(await response.text()).toBe('ftyp');
  });

  it('refuse a range beyond their end', async () => {
    const response = await fetch(await resultUrl(), { headers: { range: 'bytes=99999999-' } });
    expect(response.status).toBe(416);
    await response.body?.cancel();
  });

  it('answer HEAD with type and length and no body', async () => {
    const response = await fetch(await resultUrl(), { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('video/mp4');
    expect(response.headers.get('content-length')).toBe(String((await stat(CLIP)).size));
    expect(await response.text()).toBe('');
  });

  it.each(['kineograph.mp4', 'task_hailuo_1.mp4', '..%2Fpackage.json', ''])(
    'there is none named "%s"',
    async (name) => {
      const sandbox = await startClient();
      expect(await sandbox.call(`/files/${name}`)).toMatchObject({ http: 404, code: 404, data: null });
    },
  );

  it('can be served by another server', async () => {
    const name = (await resultUrl()).split('/').at(-1) ?? '';
    const sendFile = createSandboxFiles(import.meta.dirname);
    const server = createServer((request, response) => void sendFile(request, response, name));
    server.listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const served = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect(served.headers.get('content-type')).toBe('video/mp4');
    await served.body?.cancel();
  });
});
