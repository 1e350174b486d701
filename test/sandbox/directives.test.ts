import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDirectives } from '../../src/sandbox/create-request.ts';
import { MODELS } from '../../src/sandbox/models.ts';
import { decodeTaskId, encodeTaskId } from '../../src/sandbox/task.ts';
import { requestWith, startClient } from './client.ts';
import { startReceiver } from './receiver.ts';

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

  it.each([
    '[sandbox: fial=501]',
    '[sandbox: fail=200]',
    '[sandbox: fail=no]',
    '[sandbox: reject=99999]',
    '[sandbox: callback=thrice]',
    '[sandbox: answer=late]',
    '[sandbox: duration=30]',
    '[sandbox: duration=25h]',
    '[sandbox: duration=1441m]',
    '[sandbox fail=501]',
    '[sandbox: fail=501',
    '[sandbox]',
    '[sandbox: fail=501] [sandbox: fail=500]',
  ])('%s is rejected with a list of the known ones', async (prompt) => {
    const sandbox = await startClient();
    const { code, msg } = await sandbox.send(requestWith({ prompt }));
    expect(code).toBe(422);
    expect(msg).toContain('Known are [sandbox: reject=402], [sandbox: fail=501]');
  });
});

describe('the id of a task', () => {
  it('is unique and contains everything that decides its course', () => {
    const plan = fc.record({
      model: fc.constantFrom(...MODELS),
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
});
