import { expect, test } from 'vitest';
import { CREATE, TASK, TASK_UPDATED, input } from './kit/documents.ts';
import { startFakeProvider } from './kit/provider.ts';
import { HMAC_KEY, startGateway } from './kit/gateway.ts';
import { graphql, dataOf } from './kit/graphql.ts';
import { openGraphqlWs } from './kit/graphql-ws.ts';
import { created, callbackSuccess, deliverCallback, sign } from './kit/kie.ts';

test('an image becomes a video: created, watched, called back, found by both ids', async () => {
  const provider = await startFakeProvider();
  const gateway = await startGateway({ provider });
  provider.answer('createTask', created('kie-1'));

  const { body } = await graphql(gateway.graphqlUrl, CREATE, { input: input() });
  const result = dataOf(body).createImageToVideo;
  if (result.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(result));
  expect(result.task).toMatchObject({ state: 'WAITING', providerTaskId: 'kie-1', videos: [], failure: null });
  const { id } = result.task;

  const socket = await openGraphqlWs(gateway.graphqlUrl);
  const watch = socket.subscribe({ query: TASK_UPDATED, variables: { id } });
  expect((await watch.data()).taskUpdated).toEqual(result.task);

  const callback = gateway.callbackUrl(await provider.received('createTask'));
  const answer = await deliverCallback(callback, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
  expect(answer.status).toBe(200);

  const { taskUpdated } = await watch.data();
  expect(taskUpdated).toMatchObject({ id, state: 'SUCCESS', creditsConsumed: 57 });
  expect(taskUpdated.videos).toHaveLength(1);
  await watch.completed();

  for (const name of [id, 'kie-1']) {
    const found = await graphql(gateway.graphqlUrl, TASK, { id: name });
    expect(dataOf(found.body).task).toEqual(taskUpdated);
  }
  expect(gateway.app.stats().listeners).toBe(0);
});

test('with the sandbox a task moves from WAITING to SUCCESS by itself, and its video answers to Range', async () => {
  const gateway = await startGateway({ sandbox: { durationMs: 300, invisibleMs: 0 } });
  const { body } = await graphql(gateway.graphqlUrl, CREATE, { input: input() });
  const result = dataOf(body).createImageToVideo;
  if (result.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(result));

  const socket = await openGraphqlWs(gateway.graphqlUrl);
  const watch = socket.subscribe({ query: TASK_UPDATED, variables: { id: result.task.id } });
  let last = await watch.data();
  while (last.taskUpdated.state !== 'SUCCESS') last = await watch.data();
  await watch.completed();

  const url = last.taskUpdated.videos[0]?.url ?? '';
  expect(url.startsWith(`${gateway.url}/sandbox/files/`)).toBe(true);
  const video = await fetch(url, { headers: { range: 'bytes=0-99' } });
  expect(video.status).toBe(206);
  expect((await video.arrayBuffer()).byteLength).toBe(100);
});
