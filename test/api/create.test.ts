import { describe, expect, it, test } from 'vitest';
import { createInspectImage } from '../../src/images/inspect.ts';
import type { TaskPorts } from '../../src/tasks/ports.ts';
import { startImageServer } from '../images/image-server.ts';
import { CREATE, input } from '../kit/documents.ts';
import { startGateway, type GatewayOptions } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { flat, heic, imageBytes, pngOf } from '../kit/images.ts';
import { MODEL, createBody, created, refused, uploaded } from '../kit/kie.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { deferred } from '../kit/waits.ts';
import { startUploading } from '../uploads/uploading.ts';
import { create, createTask, findTask, listTasks, taskIdOf } from './client.ts';

/** A gateway whose provider accepts these tasks, one after the other. */
async function start(accepted: readonly string[] = ['kie-1'], options: GatewayOptions = {}) {
  const provider = await startFakeProvider();
  provider.answer('createTask', ...accepted.map((id) => created(id)));
  return { provider, gateway: await startGateway({ provider, ...options }) };
}

describe('createImageToVideo', () => {
  it('answers with the task as it was requested, accepted by the provider', async () => {
    const { gateway, provider } = await start();
    const fields = {
      prompt: 'slow push-in',
      imageUrl: 'https://files.example/first.png',
      endImageUrl: 'http://files.example/last.png',
      promptOptimizer: false,
    };
    const task = await createTask(gateway, fields);
    expect(task).toEqual({
      ...fields,
      id: taskIdOf(await provider.received('createTask')),
      state: 'WAITING',
      model: MODEL,
      videos: [],
      failure: null,
      providerTaskId: 'kie-1',
      creditsConsumed: null,
      revision: 1,
      createdAt: expect.any(String) as string,
      updatedAt: expect.any(String) as string,
      completedAt: null,
    });
    expect(Date.parse(task.updatedAt)).toBeGreaterThanOrEqual(Date.parse(task.createdAt));
  });

  it('reports every expected failure by the type of its result and through UserError, and none as an error', async () => {
    const { gateway, provider } = await start();
    provider.always('createTask', refused(402, 'Insufficient credits'));
    await create(gateway, { idempotencyKey: 'one' });
    const query = `mutation ($input: CreateImageToVideoInput!) {
      createImageToVideo(input: $input) { __typename ... on UserError { message } }
    }`;
    for (const [__typename, fields] of [
      ['CreateImageToVideoSuccess', { idempotencyKey: 'one' }],
      ['IdempotencyConflictError', { idempotencyKey: 'one', prompt: 'another' }],
      ['ValidationError', { prompt: '' }],
      ['ProviderError', {}],
    ] as const) {
      const { body } = await graphql(gateway.graphqlUrl, query, { input: input(fields) });
      const message = __typename.endsWith('Error') && { message: expect.stringMatching(/./) as string };
      expect(body).toEqual({ data: { createImageToVideo: { __typename, ...message } } });
    }
  });

  it('is a bad request when the input does not fit its type', async () => {
    const { gateway } = await start([]);
    for (const wrong of [
      { prompt: 'x' },
      { prompt: null, imageUrl: 'https://files.example/first.png' },
      { ...input(), promptOptimizer: 'yes' },
      { ...input(), frames: 1 },
      { ...input(), seed: 2 ** 31 },
      { ...input(), model: 'hailuo/02-image-to-video-pro' },
    ]) {
      const { body, status } = await graphql(gateway.graphqlUrl, CREATE, { input: wrong });
      expect(status).toBe(400);
      expect(body.data ?? null).toBeNull();
      expect(body.errors).toMatchObject([{ message: expect.stringContaining('$input') as string }]);
    }
  });

  it('reports all issues of an invalid input in one answer, stores and sends nothing, and leaves its key free', async () => {
    const { gateway, provider } = await start();
    const result = await create(gateway, {
      prompt: '\0'.repeat(1501),
      imageUrl: 'first.png',
      endImageUrl: 'ftp://me:secret@files.example/last.png',
      idempotencyKey: 'k'.repeat(256),
    });
    if (result.__typename !== 'ValidationError') throw new Error(JSON.stringify(result));
    expect(result.issues.map(({ code, path }) => `${path.join('.')}: ${code}`)).toEqual([
      'input.prompt: TOO_LONG',
      'input.prompt: INVALID_CHARACTERS',
      'input.imageUrl: NOT_A_URL',
      'input.endImageUrl: URL_SCHEME',
      'input.endImageUrl: URL_CREDENTIALS',
      'input.idempotencyKey: TOO_LONG',
    ]);
    for (const { message } of result.issues) expect(result.message).toContain(message);
    expect(await create(gateway, { idempotencyKey: 'one', imageUrl: '' })).toMatchObject({
      issues: [{ path: ['input', 'imageUrl'], code: 'REQUIRED' }],
    });
    expect(await listTasks(gateway)).toMatchObject({ edges: [], revision: 0 });
    expect(provider.requests()).toEqual([]);
    const task = await createTask(gateway, { idempotencyKey: 'one' });
    expect(await findTask(gateway, task.id)).toEqual(task);
  });
});

describe('what the provider is sent', () => {
  it('is the required fields and nothing that was not given', async () => {
    const { gateway, provider } = await start();
    await create(gateway);
    const request = await provider.received('createTask');
    const callBackUrl = /^https:\/\/gateway\.example\.test\/webhooks\/kie\/[\w-]+\/[\w-]{43}$/;
    expect(request.body).toEqual({
      model: 'hailuo/02-image-to-video-pro',
      callBackUrl: expect.stringMatching(callBackUrl) as string,
      input: { prompt: 'slow push-in, snow falling', image_url: 'https://files.example/first.png' },
    });
    expect(request.headers).toMatchObject({
      'content-type': 'application/json',
      authorization: 'Bearer test-key',
      'user-agent': expect.stringMatching(/^kineograph\//) as string,
    });
  });

  it('is the input as it was given, without surrounding white space of URLs', async () => {
    const { gateway, provider } = await start([]);
    let count = 0;
    provider.always('createTask', () => created(`kie-${(count += 1)}`));
    const url = 'HTTPS://Files.Example:443/ä%20b?x=%20#y';
    const longest = 'x'.repeat(1500);
    for (const [fields, sent] of [
      [
        { endImageUrl: 'https://files.example/last.png' },
        { end_image_url: 'https://files.example/last.png' },
      ],
      [{ endImageUrl: null }, {}],
      [{ endImageUrl: ' \n' }, {}],
      [{ promptOptimizer: true }, { prompt_optimizer: true }],
      [{ promptOptimizer: false }, { prompt_optimizer: false }],
      [{ promptOptimizer: null }, {}],
      [{ prompt: '  \tsnow \u00a0 falling\n\n' }, { prompt: '  \tsnow \u00a0 falling\n\n' }],
      [{ prompt: '土星 👩‍🚀 "quotes" \\ \u2028 \u0007' }, { prompt: '土星 👩‍🚀 "quotes" \\ \u2028 \u0007' }],
      [{ prompt: longest }, { prompt: longest }],
      [{ imageUrl: ' https://files.example/a.png\n' }, { image_url: 'https://files.example/a.png' }],
      [{ imageUrl: url }, { image_url: url }],
      [{ imageUrl: 'http://10.0.0.1/a.png' }, { image_url: 'http://10.0.0.1/a.png' }],
      [{ idempotencyKey: 'secret of ours' }, {}],
    ] as const) {
      await createTask(gateway, fields);
      expect(createBody(await provider.received('createTask')).input).toEqual({
        prompt: 'slow push-in, snow falling',
        image_url: 'https://files.example/first.png',
        ...sent,
      });
    }
  });

  it('has a callback address of its own for each task, and none when the gateway has no public address', async () => {
    const { gateway, provider } = await start(['kie-1', 'kie-2']);
    const tasks = [await createTask(gateway), await createTask(gateway)];
    const requests = provider.requests('createTask');
    expect(requests.map(taskIdOf)).toEqual(tasks.map(({ id }) => id));
    const secrets = requests.map((request) => createBody(request).callBackUrl?.split('/').at(-1));
    expect(new Set(secrets).size).toBe(2);

    const local = await start(['kie-1'], { env: { PUBLIC_URL: '' } });
    await createTask(local.gateway);
    expect((await local.provider.received('createTask')).body).not.toHaveProperty('callBackUrl');
  });
});

/** This machine stands for the internet. */
function inspectHere(ports: TaskPorts): TaskPorts {
  const inspectImage = createInspectImage({
    uploads: { uploadAt: () => Promise.resolve(null) },
    userAgent: 'test',
    now: Date.now,
    isAllowed: (address) => address === '127.0.0.1',
  });
  return { ...ports, inspectImage };
}

const CHECKED = { env: { CHECK_IMAGES: 'true' }, overrides: { wrap: inspectHere } };

describe('with CHECK_IMAGES', () => {
  it('the issues of either image are reported with its path, each image is read once, and nothing is stored', async () => {
    const gif = await flat('gif');
    const server = await startImageServer(({ url }, response) =>
      url === '/none.png' ? response.writeHead(404).end() : response.end(gif),
    );
    const { gateway, provider } = await start([], CHECKED);
    const url = `http://127.0.0.1:${server.port}`;
    for (const [last, code, connections] of [
      ['none.png', 'IMAGE_UNREACHABLE', 2],
      ['a.png', 'IMAGE_TYPE', 3],
    ] as const) {
      const result = await create(gateway, { imageUrl: `${url}/a.png`, endImageUrl: `${url}/${last}` });
      expect(result).toMatchObject({
        __typename: 'ValidationError',
        issues: [
          { path: ['input', 'imageUrl'], code: 'IMAGE_TYPE' },
          { path: ['input', 'endImageUrl'], code },
        ],
      });
      expect(server.connections()).toBe(connections);
    }
    expect(provider.requests()).toEqual([]);
    expect((await listTasks(gateway)).edges).toEqual([]);
  });

  it('a valid image is sent, and a known task is answered whatever became of its image', async () => {
    const bytes = await imageBytes();
    let isThere = true;
    const server = await startImageServer((_request, response) =>
      isThere ? response.end(bytes) : response.writeHead(404).end(),
    );
    const { gateway } = await start(['kie-1'], CHECKED);
    const fields = { imageUrl: `http://127.0.0.1:${server.port}/a.png`, idempotencyKey: 'once' };
    const task = await createTask(gateway, fields);
    isThere = false;
    expect(await createTask(gateway, fields)).toEqual(task);
    expect(server.connections()).toBe(1);
  });

  it('a mutation whose image is being checked when the gateway stops is answered with 503 at once', async () => {
    const asked = deferred();
    const { port } = await startImageServer(() => {
      asked.resolve();
    });
    const { gateway, provider } = await start([], CHECKED);
    const fields = { input: input({ imageUrl: `http://127.0.0.1:${port}/a.png` }) };
    const answer = graphql(gateway.graphqlUrl, CREATE, fields);
    await asked.promise;
    await gateway.close();
    const { body, headers, status } = await answer;
    expect([status, headers.get('retry-after')]).toEqual([503, '5']);
    expect(body.errors).toMatchObject([
      {
        message: expect.stringContaining('nothing was stored') as string,
        extensions: { code: 'SERVICE_UNAVAILABLE', hint: 'Try again in 5 s.' },
      },
    ]);
    expect(provider.requests()).toEqual([]);
  });

  it('addresses that are not public are unreachable, except those of uploads', async () => {
    const server = await startImageServer((_request, response) => response.end());
    const imageUrl = `http://127.0.0.1:${server.port}/kineograph/1.png`;
    const { gateway, provider } = await start(['kie-1'], { env: CHECKED.env });
    provider.answer('upload', uploaded(imageUrl));
    expect(await create(gateway, { imageUrl })).toMatchObject({ issues: [{ code: 'IMAGE_UNREACHABLE' }] });
    const headers = { 'content-type': 'image/png' };
    const body = new Uint8Array(await imageBytes());
    await fetch(`${gateway.url}/uploads`, { method: 'POST', headers, body });
    await createTask(gateway, { imageUrl });
    expect(server.connections()).toBe(0);
  });
});

describe('an image that was uploaded here', () => {
  it.each([{}, { env: { CHECK_IMAGES: 'true' } }])(
    'is checked by the rules of the model and by what it was found to be: %j',
    async (options) => {
      const { gateway, provider, upload } = await startUploading(options);
      provider.always('createTask', ({ order }) => created(`kie-${order}`));
      const urlOf = async (bytes: Buffer) => String((await upload(bytes)).body['url']);
      const [small, long, webp, heif, large] = await Promise.all(
        [
          await flat('png', { width: 300, height: 400 }),
          await flat('png', { width: 1001, height: 400 }),
          await imageBytes('webp'),
          heic(),
          await pngOf(10 * 1024 * 1024 + 1),
        ].map(urlOf),
      );
      for (const [imageUrl, model, code] of [
        [small, 'HAILUO_02_PRO', 'IMAGE_TOO_SMALL'],
        [small, 'WAN_2_7', null],
        [long, 'HAILUO_02_PRO', 'IMAGE_ASPECT_RATIO'],
        [long, 'WAN_2_7', null],
        [webp, 'KLING_2_6', 'IMAGE_TYPE'],
        [webp, 'HAILUO_02_PRO', null],
        [heif, 'HAILUO_02_PRO', 'IMAGE_TYPE'],
        [heif, 'MINIMAX_H3', null],
        [large, 'HAILUO_02_PRO', 'IMAGE_TOO_LARGE'],
        [large, 'MINIMAX_H3', null],
      ] as const) {
        const issues = [{ path: ['input', 'imageUrl'], code }];
        expect(await create(gateway, { imageUrl, model })).toMatchObject(
          code === null ? { task: { state: 'WAITING' } } : { __typename: 'ValidationError', issues },
        );
      }
      const endImageUrl = small;
      expect(await create(gateway, { imageUrl: webp, endImageUrl })).toMatchObject({
        issues: [{ path: ['input', 'endImageUrl'], code: 'IMAGE_TOO_SMALL' }],
      });
    },
  );
});

test('an image elsewhere is checked by the rules of the model with CHECK_IMAGES', async () => {
  const bytes = await flat('webp', { width: 300, height: 400 });
  const { port } = await startImageServer((_request, response) => response.end(bytes));
  const imageUrl = `http://127.0.0.1:${port}/a.webp`;
  const { gateway } = await start(['kie-1'], CHECKED);
  expect(await create(gateway, { imageUrl })).toMatchObject({ issues: [{ code: 'IMAGE_TOO_SMALL' }] });
  expect(await create(gateway, { imageUrl, model: 'KLING_2_6' })).toMatchObject({
    issues: [{ code: 'IMAGE_TYPE' }],
  });
  await createTask(gateway, { imageUrl, model: 'WAN_2_7' });
});

test('without CHECK_IMAGES no image is read', async () => {
  const server = await startImageServer((_request, response) => response.end());
  const { gateway } = await start();
  await createTask(gateway, { imageUrl: `http://127.0.0.1:${server.port}/a.png` });
  expect(server.connections()).toBe(0);
});
