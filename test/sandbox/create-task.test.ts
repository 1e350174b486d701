import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDirectives } from '../../src/sandbox/create-request.ts';
import { MODELS } from '../../src/sandbox/models.ts';
import { decodeTaskId, encodeTaskId } from '../../src/sandbox/task.ts';
import { requestWith, startClient, startReceiver } from './client.ts';

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

  it('rejects what is no valid request and says what is wrong', async () => {
    const sandbox = await startClient();
    const rows: readonly (readonly [body: unknown, message: RegExp])[] = [
      [undefined, /Content-Type|empty/],
      [[], /body must be an object with model and input/],
      [requestWith({}, { model: undefined }), /model must be "hailuo/],
      [requestWith({}, { model: 'hailuo/03' }), /does not exist or is not published/],
      [requestWith({}, { input: undefined }), /input must be an object with prompt and image_url/],
      [requestWith({ prompt: undefined }), /input\.prompt must be a string of 1 to 1500/],
      [requestWith({ prompt: '' }), /input\.prompt must be a string of 1 to 1500/],
      [requestWith({ prompt: 'x'.repeat(1501) }), /1 to 1500 characters/],
      [requestWith({ image_url: undefined }), /input\.image_url must be the absolute/],
      [requestWith({ image_url: 'data:image/png;base64,AA==' }), /http or https URL/],
      [requestWith({ end_image_url: 'last.png' }), /input\.end_image_url must be .*, or "" for none/],
      [requestWith({ prompt_optimizer: 'yes' }), /prompt_optimizer must be true or/],
      [requestWith({}, { callBackUrl: '/hook' }), /callBackUrl must be an absolute/],
      [requestWith({ imageUrl: 'x' }), /input has unknown parameters: imageUrl/],
    ];
    for (const [body, message] of rows) {
      const { code, msg, data } = await sandbox.send(body);
      expect({ code, data, msg }).toEqual({
        code: body === undefined ? 400 : 422,
        data: null,
        msg: expect.stringMatching(message) as string,
      });
    }
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
  it('requires the key', async () => {
    const sandbox = await startClient({ apiKey: 'the-key' });
    const refused = { http: 200, code: 401, msg: 'You do not have access permissions', data: null };
    const paths = ['/api/v1/jobs/recordInfo?taskId=x', '/api/v1/chat/credit', '/api/v1/models', CREATE];
    for (const path of paths) {
      const method = path === CREATE ? 'POST' : 'GET';
      for (const headers of [{}, { authorization: 'the-key' }, { authorization: 'Bearer other' }])
        expect(await sandbox.call(path, { method, headers })).toEqual(refused);
      const known = await sandbox.call(path, { method, headers: { authorization: 'Bearer the-key' } });
      expect(known.code).not.toBe(401);
    }
  });

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

describe('directives', () => {
  it('reject: createTask answers the code and creates nothing', async () => {
    const sandbox = await startClient();
    expect(await sandbox.send(requestWith({ prompt: 'a [sandbox: reject=402] b' }))).toEqual({
      http: 200,
      code: 402,
      msg: 'Credits insufficient',
      data: null,
    });
    expect(await sandbox.send(requestWith({ prompt: '[sandbox: reject=4030]' }))).toMatchObject({
      code: 4030,
    });
  });

  it('callback=never: no callback is sent', async () => {
    const receiver = await startReceiver();
    const sandbox = await startClient();
    await sandbox.create('[sandbox: callback=never] [sandbox: duration=0ms]', receiver.url);
    const told = await sandbox.create('[sandbox: duration=50ms]', receiver.url);
    expect((await receiver.next()).body.data['taskId']).toBe(told);
  });

  it('callback=twice: the same callback is sent twice', async () => {
    const receiver = await startReceiver();
    const sandbox = await startClient();
    await sandbox.create('[sandbox: callback=twice]', receiver.url);
    const [first, second] = [await receiver.next(), await receiver.next()];
    expect(second.body).toEqual(first.body);
  });

  it('callback=unsigned: the callback has no signature headers', async () => {
    const receiver = await startReceiver();
    const sandbox = await startClient();
    await sandbox.create('[sandbox: callback=unsigned]', receiver.url);
    const { headers } = await receiver.next();
    expect(headers).not.toHaveProperty('x-webhook-signature');
    expect(headers).not.toHaveProperty('x-webhook-timestamp');
  });

  it('answer=drop: the connection is cut, and the task runs', async () => {
    const receiver = await startReceiver();
    const sandbox = await startClient();
    await expect(sandbox.create('[sandbox: answer=drop]', receiver.url)).rejects.toThrow('fetch failed');
    const { data } = (await receiver.next()).body;
    expect(data).toMatchObject({ state: 'success', creditsConsumed: 57 });
  });

  it('may be combined, in any letter case', () => {
    expect(parseDirectives('x [Sandbox: Fail=501] y [sandbox:callback=twice][sandbox: duration=2m]')).toEqual(
      {
        rejectCode: null,
        failCode: 501,
        callback: 'twice',
        dropAnswer: false,
        durationMs: 120_000,
      },
    );
  });

  it('are not found in prompts that only mention a sandbox', () => {
    expect(parseDirectives('children in a sandbox: [slow] motion, sandboxes')).toMatchObject({
      failCode: null,
    });
  });

  it('that are wrong are rejected with a list of the known ones', async () => {
    const sandbox = await startClient();
    for (const prompt of [
      ...['[sandbox: fial=501]', '[sandbox: fail=200]', '[sandbox: fail=no]', '[sandbox: reject=99999]'],
      ...[
        '[sandbox: callback=thrice]',
        '[sandbox: answer=late]',
        '[sandbox: duration=30]',
        '[sandbox: duration=25h]',
      ],
      ...['[sandbox: duration=1441m]', '[sandbox fail=501]', '[sandbox: fail=501', '[sandbox]'],
      '[sandbox: fail=501] [sandbox: fail=500]',
    ]) {
      const { code, msg } = await sandbox.send(requestWith({ prompt }));
      expect([prompt, code]).toEqual([prompt, 422]);
      expect(msg).toContain('Known are [sandbox: reject=402], [sandbox: fail=501]');
    }
  });
});

describe('the id of a task', () => {
  it('is unique and contains everything that decides its course', () => {
    const plan = fc.record({
      model: fc.constantFrom(...MODELS),
      credits: fc.integer({ min: 0, max: 1_000_000 }).map((thousandths) => thousandths / 1000),
      createdAt: fc.integer({ min: 1_000_000_000_000, max: 9_999_999_999_999 }),
      durationMs: fc.integer({ min: 0, max: 86_400_000 }),
      failCode: fc.option(fc.integer({ min: 100, max: 9_999 })),
      callback: fc.constantFrom('once' as const, 'never' as const, 'twice' as const, 'unsigned' as const),
    });
    fc.assert(
      fc.property(plan, (original) => {
        const taskId = encodeTaskId(original);
        expect(decodeTaskId(taskId)).toEqual(original);
        expect(encodeTaskId(original)).not.toBe(taskId);
      }),
    );
  });

  it('of the previous version is still known, with the one price that there was', () => {
    expect(decodeTaskId('task_hailuo_1765185328412c0ffee00c0ffd6000f501_never')).toEqual({
      model: MODELS[0],
      credits: 57,
      createdAt: 1_765_185_328_412,
      durationMs: 6_000,
      failCode: 501,
      callback: 'never',
    });
  });
});
