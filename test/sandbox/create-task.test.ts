import { describe, expect, it } from 'vitest';
import { requestWith, startClient } from './client.ts';

const CREATE = '/api/v1/jobs/createTask';

describe('createTask', () => {
  it('answers a valid request with the id of a new task', async () => {
    const sandbox = await startClient();
    const answer = await sandbox.send(requestWith());
    expect(answer).toEqual({
      http: 200,
      code: 200,
      msg: 'success',
      data: { taskId: expect.stringMatching(/^task_hailuo_\d{13}/) as string },
    });
  });

  it('accepts every documented parameter, and "" for no end image', async () => {
    const sandbox = await startClient();
    const input = { end_image_url: '', prompt_optimizer: true, nsfw_checker: false };
    expect(await sandbox.send(requestWith(input, { callBackUrl: 'https://a.example/hook' }))).toMatchObject({
      code: 200,
    });
    expect(await sandbox.send(requestWith({ end_image_url: 'https://a.example/b.png' }))).toMatchObject({
      code: 200,
    });
  });

  it('counts 1500 characters, not bytes', async () => {
    const sandbox = await startClient();
    expect(await sandbox.send(requestWith({ prompt: '🎞'.repeat(1500) }))).toMatchObject({ code: 200 });
  });

  it.each([
    ['no body', undefined, /Content-Type|empty/],
    ['a body that is no object', [], /body must be an object with model and input/],
    ['no model', requestWith({}, { model: undefined }), /model must be "hailuo/],
    ['another model', requestWith({}, { model: 'hailuo/03' }), /does not exist or is not published/],
    ['no input', requestWith({}, { input: undefined }), /input must be an object with prompt and image_url/],
    ['no prompt', requestWith({ prompt: undefined }), /input\.prompt must be a string of 1 to 1500/],
    ['an empty prompt', requestWith({ prompt: '' }), /input\.prompt must be a string of 1 to 1500/],
    ['a prompt too long', requestWith({ prompt: 'x'.repeat(1501) }), /1 to 1500 characters/],
    ['no image', requestWith({ image_url: undefined }), /input\.image_url must be the absolute/],
    ['an image as data', requestWith({ image_url: 'data:image/png;base64,AA==' }), /http or https URL/],
    [
      'an end image that is no URL',
      requestWith({ end_image_url: 'last.png' }),
      /input\.end_image_url must be .*, or "" for none/,
    ],
    [
      'an optimizer that is no boolean',
      requestWith({ prompt_optimizer: 'yes' }),
      /prompt_optimizer must be true or/,
    ],
    [
      'a callback address that is none',
      requestWith({}, { callBackUrl: '/hook' }),
      /callBackUrl must be an absolute/,
    ],
    ['a misspelt parameter', requestWith({ imageUrl: 'x' }), /input has unknown parameters: imageUrl/],
  ])('rejects %s and says what is wrong', async (_name, body, message) => {
    const sandbox = await startClient();
    const { code, msg, data } = await sandbox.send(body);
    expect({ code, data }).toEqual({ code: body === undefined ? 400 : 422, data: null });
    expect(msg).toMatch(message);
  });

  it('names every invalid parameter', async () => {
    const sandbox = await startClient();
    const { msg } = await sandbox.send(requestWith({ prompt: '', image_url: 1 }));
    expect(msg).toMatch(/input\.prompt .*input\.image_url /);
  });

  it('rejects requests above the rate limit and creates nothing', async () => {
    const sandbox = await startClient({ createsPer10s: 2, credits: 1_000 });
    await sandbox.create('[sandbox: duration=0ms]');
    await sandbox.create('[sandbox: duration=0ms]');
    expect(await sandbox.send(requestWith())).toMatchObject({ http: 200, code: 429, data: null });
    expect(await sandbox.credits()).toBe(1_000 - 2 * 57);
  });

  it('rejects a task when the balance does not cover it and the running tasks', async () => {
    const sandbox = await startClient({ credits: 60, durationMs: 3_600_000 });
    await sandbox.create();
    const { code, msg } = await sandbox.send(requestWith());
    expect({ code, msg }).toMatchObject({
      code: 402,
      msg: expect.stringContaining('begin with 60') as string,
    });
  });
});

describe('every route of the API', () => {
  it.each(['/api/v1/jobs/recordInfo?taskId=x', '/api/v1/chat/credit', CREATE])(
    '%s requires the key',
    async (path) => {
      const sandbox = await startClient({ apiKey: 'the-key' });
      const method = path === CREATE ? 'POST' : 'GET';
      const refused = { http: 200, code: 401, msg: 'You do not have access permissions', data: null };
      for (const headers of [{}, { authorization: 'the-key' }, { authorization: 'Bearer other' }]) {
        expect(await sandbox.call(path, { method, headers })).toEqual(refused);
      }
      const known = await sandbox.call(path, { method, headers: { authorization: 'Bearer the-key' } });
      expect(known.code).not.toBe(401);
    },
  );

  it('accepts any key that is not empty when none is set', async () => {
    const sandbox = await startClient();
    expect(await sandbox.credits()).toBe(10_000);
    const empty = await sandbox.call('/api/v1/chat/credit', { headers: { authorization: 'Bearer ' } });
    expect(empty.code).toBe(401);
  });

  it('answers an unreadable body with an envelope that says how to fix it', async () => {
    const sandbox = await startClient();
    const post = (type: string, body: string) =>
      sandbox.call(CREATE, {
        method: 'POST',
        headers: { authorization: 'Bearer k', 'content-type': type },
        body,
      });
    expect(await post('application/json', '{"model":')).toMatchObject({
      code: 400,
      msg: expect.stringContaining('not valid JSON') as string,
    });
    expect(await post('text/plain', '{}')).toMatchObject({
      code: 400,
      msg: expect.stringContaining('application/json') as string,
    });
    expect(await post('application/json', JSON.stringify('x'.repeat(2_000_000)))).toMatchObject({
      code: 400,
    });
  });

  it('answers an unknown path or method with an envelope that lists the known ones', async () => {
    const sandbox = await startClient();
    const listed = {
      http: 404,
      code: 404,
      msg: expect.stringContaining('/api/v1/jobs/createTask') as string,
    };
    expect(await sandbox.call('/api/v1/jobs/create')).toMatchObject(listed);
    expect(await sandbox.call(CREATE)).toMatchObject(listed);
  });
});
