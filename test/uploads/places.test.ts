import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ADA, API_KEYS, BEN } from '../auth/owners.ts';
import { deferred, onTestEnd, named } from '../kit/waits.ts';
import { uploaded } from '../kit/kie.ts';
import { imageBytes } from '../kit/images.ts';
import { startUploading } from './uploading.ts';

describe('an owner that uploads many images', () => {
  it('gets half of the places, and the first upload of another owner is always accepted', async () => {
    const { provider, upload } = await startUploading({
      env: { API_KEYS: `${API_KEYS},carol:key-of-carol`, MAX_UPLOADS: '2' },
    });
    const gate = deferred();
    const held = { ...uploaded('https://files.example/1.png'), gate: gate.promise };
    provider.answer('upload', held, held, held);
    const [one, two, three, four] = await Promise.all([
      imageBytes(),
      imageBytes(),
      imageBytes(),
      imageBytes(),
    ]);
    const first = upload(one, ADA);
    await provider.received('upload');
    const told = await upload(two, ADA);
    expect(told.status).toBe(429);
    expect(told.headers.get('retry-after')).toBe('5');
    expect(told.body).toMatchObject({ code: 'RATE_LIMITED' });
    const second = upload(three, BEN);
    await provider.received('upload');
    const third = upload(four, { authorization: 'Bearer key-of-carol' });
    await provider.received('upload');
    gate.resolve();
    expect((await Promise.all([first, second, third])).map(({ status }) => status)).toEqual([201, 201, 201]);
    expect((await upload(two, ADA)).status).toBe(201);
  });
});

describe('an upload whose bytes stop coming', () => {
  it('is aborted and frees its place', async () => {
    const { gateway, upload } = await startUploading({ env: { MAX_UPLOADS: '1' } });
    const bytes = await imageBytes();
    const socket = connect(gateway.app.port, '127.0.0.1').setEncoding('utf8');
    onTestEnd(() => void socket.destroy());
    const lines = `Host: localhost\r\nContent-Type: image/png\r\nContent-Length: ${bytes.length}`;
    socket.write(`POST /uploads HTTP/1.1\r\n${lines}\r\n\r\n`);
    socket.write(bytes.subarray(0, 1000));
    const [answer] = (await named('an answer', once(socket, 'data'))) as [string];
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('UPLOAD_TOO_SLOW');
    await named('the end of the connection', once(socket, 'close'));
    expect((await upload(bytes)).status).toBe(201);
  });
});
