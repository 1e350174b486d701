import { describe, expect, it } from 'vitest';
import { CREATE, input } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { MODEL, createBody, created, refused } from '../kit/kie.ts';
import { create, createTask, taskIdOf } from './client.ts';

describe('createImageToVideo', () => {
  it('answers with the task as it was wished for, accepted by the provider', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'));
    const wish = {
      prompt: 'slow push-in',
      imageUrl: 'https://files.example/first.png',
      endImageUrl: 'http://files.example/last.png',
      promptOptimizer: false,
    };
    const task = await createTask(gateway, wish);
    expect(task).toEqual({
      ...wish,
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

  it('tells every expected outcome by the type of its result, and none of them as an error', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'), refused(402, 'Insufficient credits'));
    const outcomes = [
      await create(gateway, { idempotencyKey: 'one' }),
      await create(gateway, { idempotencyKey: 'one', prompt: 'another' }),
      await create(gateway, { prompt: '' }),
      await create(gateway),
    ];
    expect(outcomes.map((outcome) => outcome.__typename)).toEqual([
      'CreateImageToVideoSuccess',
      'IdempotencyConflictError',
      'ValidationError',
      'ProviderError',
    ]);
  });

  it('tells all three kinds of failure through their common interface', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'), refused(402, 'Insufficient credits'));
    await create(gateway, { idempotencyKey: 'one' });
    const query = `mutation ($input: CreateImageToVideoInput!) {
      createImageToVideo(input: $input) { ... on UserError { message } }
    }`;
    for (const fields of [{ idempotencyKey: 'one', prompt: 'another' }, { prompt: '' }, {}]) {
      const { body } = await graphql(gateway.graphqlUrl, query, { input: input(fields) });
      expect(body).toEqual({
        data: { createImageToVideo: { message: expect.stringMatching(/./) as string } },
      });
    }
  });

  it.each([
    ['a required field is missing', { prompt: 'x' }],
    ['a required field is null', { prompt: null, imageUrl: 'https://files.example/first.png' }],
    ['a field has another type', { ...input(), promptOptimizer: 'yes' }],
    ['a field is unknown', { ...input(), seed: 1 }],
  ])('is a bad request when %s', async (_, wish) => {
    const gateway = await startGateway({ provider: await startFakeProvider() });
    const { status, body } = await graphql(gateway.graphqlUrl, CREATE, { input: wish });
    expect(status).toBe(400);
    expect(body.data ?? null).toBeNull();
    expect(body.errors).toHaveLength(1);
    expect(body.errors?.[0]?.message).toContain('$input');
  });

  it('is not answered to a GET request', async () => {
    const gateway = await startGateway({ provider: await startFakeProvider() });
    const search = new URLSearchParams({ query: CREATE, variables: JSON.stringify({ input: input() }) });
    const answer = await fetch(`${gateway.graphqlUrl}?${search.toString()}`);
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('POST');
    expect(await answer.text()).toContain('POST');
  });
});

describe('what the provider is sent', () => {
  it('is the required fields and nothing that was not given', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'));
    await create(gateway);
    const request = await provider.received('createTask');
    expect(request.body).toEqual({
      model: 'hailuo/02-image-to-video-pro',
      callBackUrl: expect.stringMatching(
        /^https:\/\/gateway\.example\.test\/webhooks\/kie\/[\w-]+\/[\w-]{43}$/,
      ) as string,
      input: { prompt: 'slow push-in, snow falling', image_url: 'https://files.example/first.png' },
    });
    expect(request.headers).toMatchObject({
      'content-type': 'application/json',
      authorization: 'Bearer test-key',
      'user-agent': expect.stringMatching(/^kineograph\//) as string,
    });
  });

  it.each([
    [{ endImageUrl: 'https://files.example/last.png' }, { end_image_url: 'https://files.example/last.png' }],
    [{ endImageUrl: null }, {}],
    [{ endImageUrl: '' }, {}],
    [{ endImageUrl: ' \n' }, {}],
    [{ promptOptimizer: true }, { prompt_optimizer: true }],
    [{ promptOptimizer: false }, { prompt_optimizer: false }],
    [{ promptOptimizer: null }, {}],
    [{ prompt: '  \tsnow \u00a0 falling\n\n' }, { prompt: '  \tsnow \u00a0 falling\n\n' }],
    [{ prompt: '土星 👩‍🚀 "quotes" \\ \u2028 \u0007' }, { prompt: '土星 👩‍🚀 "quotes" \\ \u2028 \u0007' }],
    [{ imageUrl: ' https://files.example/a.png\n' }, { image_url: 'https://files.example/a.png' }],
    [
      { imageUrl: 'HTTPS://Files.Example:443/ä%20b?x=%20#y' },
      { image_url: 'HTTPS://Files.Example:443/ä%20b?x=%20#y' },
    ],
    [{ imageUrl: 'http://10.0.0.1/a.png' }, { image_url: 'http://10.0.0.1/a.png' }],
    [{ idempotencyKey: 'secret of ours' }, {}],
  ])('of %j is %j', async (fields, sent) => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'));
    await createTask(gateway, fields);
    expect(createBody(await provider.received('createTask')).input).toEqual({
      prompt: 'slow push-in, snow falling',
      image_url: 'https://files.example/first.png',
      ...sent,
    });
  });

  it('has no callback address when the gateway has none', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider, env: { PUBLIC_URL: '' } });
    provider.answer('createTask', created('kie-1'));
    await createTask(gateway);
    expect((await provider.received('createTask')).body).not.toHaveProperty('callBackUrl');
  });

  it('names a callback address of its own for each task', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'), created('kie-2'));
    const tasks = [await createTask(gateway), await createTask(gateway)];
    const requests = provider.requests('createTask');
    expect(requests.map(taskIdOf)).toEqual(tasks.map(({ id }) => id));
    expect(new Set(requests.map((request) => createBody(request).callBackUrl?.split('/').at(-1))).size).toBe(
      2,
    );
  });
});
