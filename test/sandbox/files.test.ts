import { once } from 'node:events';
import { readFile, readdir, stat, utimes } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSandboxFiles } from '../../src/sandbox/files.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { imageBytes } from '../kit/images.ts';
import { startImageServer } from '../images/image-server.ts';
import { startClient, type Client } from './client.ts';

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

  it('are not there under other names, nor are uploads', async () => {
    const sandbox = await startClient();
    const names = ['kineograph.mp4', 'task_hailuo_1.mp4', '..%2Fpackage.json', ''];
    const uploads = [
      'a/../../package.json',
      '%2e%2e/%2e%2e/package.json',
      '..%2f..%2fpackage.json',
      '.hidden',
      '',
    ];
    for (const name of [...names, ...uploads.map((upload) => `uploads/${upload}`)])
      expect(await sandbox.call(`/files/${name}`)).toMatchObject({ http: 404, code: 404, data: null });
  });

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

interface Uploaded {
  readonly fileName: string;
  readonly filePath: string;
  readonly downloadUrl: string;
  readonly fileSize: number;
  readonly mimeType: string;
  readonly uploadedAt: string;
}

interface UploadAnswer {
  readonly http: number;
  readonly success: boolean;
  readonly code: number;
  readonly msg: string;
  readonly data?: Uploaded;
}

type Fields = Readonly<Record<string, string | Blob>>;

async function send({ url }: Client, fields: Fields, key = 'a-key'): Promise<UploadAnswer> {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === 'string') body.append(name, value);
    else body.append(name, value, 'mine.png');
  }
  const headers = { authorization: `Bearer ${key}` };
  const answer = await fetch(`${url}/api/file-stream-upload`, { method: 'POST', body, headers });
  return { http: answer.status, ...((await answer.json()) as Omit<UploadAnswer, 'http'>) };
}

async function imageFile(): Promise<Blob> {
  return new Blob([new Uint8Array(await imageBytes())], { type: 'image/png' });
}

describe('an uploaded file', () => {
  it.each([
    ['before the file', (file: Blob): Fields => ({ uploadPath: 'a/b', fileName: 'c.png', file })],
    ['behind the file', (file: Blob): Fields => ({ file, fileName: 'c.png', uploadPath: 'a/b' })],
  ])('is served as it is, under the names that stand %s', async (_, fields) => {
    const sandbox = await startClient();
    const file = await imageFile();
    const { data, ...answer } = await send(sandbox, fields(file));
    expect(answer).toEqual({ http: 200, success: true, code: 200, msg: 'File uploaded successfully' });
    expect(data).toEqual({
      fileName: 'c.png',
      filePath: 'a/b/c.png',
      downloadUrl: `${sandbox.url}/files/uploads/a/b/c.png`,
      fileSize: file.size,
      mimeType: 'image/png',
      uploadedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
    });
    const served = await fetch(data?.downloadUrl ?? '');
    expect(served.headers.get('content-type')).toBe('image/png');
    expect(Buffer.from(await served.arrayBuffer()).equals(Buffer.from(await file.arrayBuffer()))).toBe(true);
  });

  it('gets a name when it has none, and takes the place of another of its name', async () => {
    const sandbox = await startClient();
    const [first, second] = [await imageFile(), await imageFile()];
    const { data } = await send(sandbox, { uploadPath: 'a', file: first });
    expect(data?.fileName).toMatch(/^[\da-f-]{36}\.png$/);
    await send(sandbox, { uploadPath: 'a', fileName: data?.fileName ?? '', file: second });
    const served = await fetch(data?.downloadUrl ?? '');
    expect((await served.arrayBuffer()).byteLength).toBe(second.size);
  });

  it('outlives a restart, and is gone after a day', async () => {
    const uploadsDir = await temporaryDir();
    const first = await startClient({ uploadsDir });
    const { data } = await send(first, { uploadPath: 'a', fileName: 'c.png', file: await imageFile() });
    await first.close();
    const second = await startClient({ uploadsDir });
    const url = second.url + new URL(data?.downloadUrl ?? '').pathname;
    const served = await fetch(url);
    expect(served.status).toBe(200);
    await served.body?.cancel();

    const yesterday = Date.now() / 1000 - 24 * 3600;
    await utimes(join(uploadsDir, 'a/c.png'), yesterday, yesterday);
    expect((await fetch(url)).status).toBe(404);
    await send(second, { uploadPath: 'b', fileName: 'd.png', file: await imageFile() });
    expect(await readdir(join(uploadsDir, 'a'))).toEqual([]);
  });
});

describe('the other ways to upload a file', () => {
  const post = async ({ url }: Client, path: string, body: object): Promise<UploadAnswer> => {
    const headers = { authorization: 'Bearer a-key', 'content-type': 'application/json' };
    const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    return { http: answer.status, ...((await answer.json()) as Omit<UploadAnswer, 'http'>) };
  };
  const bytesAt = async (url = ''): Promise<Buffer> => Buffer.from(await (await fetch(url)).arrayBuffer());

  it.each([
    ['a data URL', (bytes: Buffer) => `data:image/png;base64,${bytes.toString('base64')}`],
    ['plain Base64', (bytes: Buffer) => bytes.toString('base64')],
  ])('take it as JSON: %s', async (_, encode) => {
    const sandbox = await startClient();
    const bytes = await imageBytes();
    const names = { uploadPath: 'a/b', fileName: 'c.png' };
    const body = { base64Data: encode(bytes), ...names };
    const { data, ...answer } = await post(sandbox, '/api/file-base64-upload', body);
    expect(answer).toMatchObject({ http: 200, success: true, code: 200 });
    expect(data).toMatchObject({ filePath: 'a/b/c.png', fileSize: bytes.length });
    expect((await bytesAt(data?.downloadUrl)).equals(bytes)).toBe(true);
  });

  it('take its address', async () => {
    const [sandbox, bytes] = [await startClient(), await imageBytes()];
    const { port } = await startImageServer((_request, response) =>
      response.writeHead(200, { 'content-type': 'image/png' }).end(bytes),
    );
    const body = { fileUrl: `http://127.0.0.1:${port}/mine.png?x`, uploadPath: 'a' };
    const { data } = await post(sandbox, '/api/file-url-upload', body);
    expect(data?.fileName).toMatch(/^[\da-f-]{36}\.png$/);
    expect(data).toMatchObject({ mimeType: 'image/png' });
    expect((await bytesAt(data?.downloadUrl)).equals(bytes)).toBe(true);
  });

  it.each([
    ['/api/file-base64-upload', {}, 'Missing required parameter: base64Data'],
    ['/api/file-base64-upload', { base64Data: 'YQ==' }, 'Missing required parameter: uploadPath'],
    [
      '/api/file-base64-upload',
      { base64Data: 'no!', uploadPath: 'a' },
      'Base64 decoding failed: Invalid Base64 format',
    ],
    ['/api/file-url-upload', {}, 'Missing required parameter: fileUrl'],
    [
      '/api/file-url-upload',
      { fileUrl: 'file:///etc/passwd', uploadPath: 'a' },
      'fileUrl must be a public http or https address',
    ],
    [
      '/api/file-url-upload',
      { fileUrl: 'http://127.0.0.1:1/', uploadPath: 'a' },
      'File download failed: connect ECONNREFUSED 127.0.0.1:1',
    ],
  ])('refuse what is no file: %s %j', async (path, body, msg) => {
    const sandbox = await startClient();
    expect(await post(sandbox, path, body)).toEqual({ http: 400, success: false, code: 400, msg });
    expect(await readdir(sandbox.uploadsDir)).toEqual([]);
  });
});

it('a link for downloading is given for files of the sandbox alone', async () => {
  const sandbox = await startClient();
  const headers = { authorization: 'Bearer a-key', 'content-type': 'application/json' };
  const linkTo = (url: string) =>
    sandbox.call('/api/v1/common/download-url', { method: 'POST', headers, body: JSON.stringify({ url }) });
  const ours = `${sandbox.url}/files/1.mp4`;
  expect(await linkTo(ours)).toEqual({ http: 200, code: 200, msg: 'success', data: ours });
  expect(await linkTo('https://example.com/1.mp4')).toMatchObject({ code: 422, data: null });
});

describe('what is no upload is refused in the words of the service:', () => {
  it('a part that is missing, or a name that is none', async () => {
    const sandbox = await startClient();
    const rows: readonly (readonly [msg: string, fields: (file: Blob) => Fields])[] = [
      ['Missing required parameter: uploadPath', (file) => ({ file })],
      ['Missing required parameter: file', () => ({ uploadPath: 'a' })],
      ['Missing required parameter: file', (image) => ({ uploadPath: 'a', image })],
      ['uploadPath and fileName must be plain names', (file) => ({ uploadPath: '/a', file })],
      ['uploadPath and fileName must be plain names', (file) => ({ uploadPath: 'a/', file })],
      ['uploadPath and fileName must be plain names', (file) => ({ uploadPath: '..', file })],
      ['uploadPath and fileName must be plain names', (file) => ({ uploadPath: 'a/../..', file })],
      [
        'uploadPath and fileName must be plain names',
        (file) => ({ uploadPath: 'a', fileName: '../b', file }),
      ],
    ];
    for (const [msg, fields] of rows)
      expect(await send(sandbox, fields(await imageFile()))).toEqual({
        http: 400,
        success: false,
        code: 400,
        msg,
      });
    expect(await readdir(sandbox.uploadsDir)).toEqual([]);
  });

  it('no key', async () => {
    const sandbox = await startClient({ apiKey: 'the-key' });
    const answer = await send(sandbox, { uploadPath: 'a', file: await imageFile() });
    expect(answer).toMatchObject({ http: 200, success: false, code: 401 });
  });

  it('no form', async () => {
    const sandbox = await startClient();
    const headers = { authorization: 'Bearer a-key', 'content-type': 'application/json' };
    const answer = await sandbox.call('/api/file-stream-upload', { method: 'POST', headers, body: '{}' });
    expect(answer).toMatchObject({ http: 400, success: false, code: 400 });
  });
});
