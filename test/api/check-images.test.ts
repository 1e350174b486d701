import { describe, expect, it, test } from 'vitest';
import { createInspectImage } from '../../src/images/inspect.ts';
import type { TaskPorts } from '../../src/tasks/ports.ts';
import { startImageServer } from '../images/image-server.ts';
import { deferred } from '../kit/waits.ts';
import { CREATE, input } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { created, uploaded } from '../kit/kie.ts';
import { flat, imageBytes } from '../kit/images.ts';

const CHECKED = { CHECK_IMAGES: 'true' };

/** This machine stands for the internet. */
function lookAround(ports: TaskPorts): TaskPorts {
  const inspectImage = createInspectImage({
    uploads: { isUploaded: () => Promise.resolve(false) },
    userAgent: 'test',
    now: Date.now,
    isAllowed: (address) => address === '127.0.0.1',
  });
  return { ...ports, inspectImage };
}

type Overrides = Parameters<typeof input>[0];

function create(graphqlUrl: string) {
  return async (overrides: Overrides) =>
    dataOf((await graphql(graphqlUrl, CREATE, { input: input(overrides) })).body).createImageToVideo;
}

describe('with CHECK_IMAGES', () => {
  it('what is wrong with either image is told, each with its path, and nothing is sent or stored', async () => {
    const gif = await flat('gif');
    const { port } = await startImageServer(({ url }, response) =>
      url === '/none.png' ? response.writeHead(404).end() : response.end(gif),
    );
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider, env: CHECKED, overrides: { wrap: lookAround } });
    const result = await create(gateway.graphqlUrl)({
      imageUrl: `http://127.0.0.1:${port}/a.png`,
      endImageUrl: `http://127.0.0.1:${port}/none.png`,
    });
    expect(result).toMatchObject({
      __typename: 'ValidationError',
      issues: [
        { path: ['input', 'imageUrl'], code: 'IMAGE_TYPE' },
        { path: ['input', 'endImageUrl'], code: 'IMAGE_UNREACHABLE' },
      ],
    });
    expect(provider.requests()).toEqual([]);
    const { body } = await graphql<{ tasks: { edges: unknown[] } }>(
      gateway.graphqlUrl,
      '{ tasks(first: 1) { edges { node { id } } } }',
    );
    expect(dataOf(body).tasks.edges).toEqual([]);
  });

  it('an image that begins and ends the video is looked at once, and told of in both places', async () => {
    const gif = await flat('gif');
    const server = await startImageServer((_request, response) => response.end(gif));
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider, env: CHECKED, overrides: { wrap: lookAround } });
    const url = `http://127.0.0.1:${server.port}/a.gif`;
    expect(await create(gateway.graphqlUrl)({ imageUrl: url, endImageUrl: url })).toMatchObject({
      issues: [{ path: ['input', 'imageUrl'] }, { path: ['input', 'endImageUrl'] }],
    });
    expect(server.connections()).toBe(1);
  });

  it('an image that is fine is sent on, and a task that is there is answered whatever became of it', async () => {
    const bytes = await imageBytes();
    let isThere = true;
    const server = await startImageServer((_request, response) =>
      isThere ? response.end(bytes) : response.writeHead(404).end(),
    );
    const provider = await startFakeProvider();
    provider.answer('createTask', created('kie-1'));
    const gateway = await startGateway({ provider, env: CHECKED, overrides: { wrap: lookAround } });
    const wish = { imageUrl: `http://127.0.0.1:${server.port}/a.png`, idempotencyKey: 'once' };
    const first = await create(gateway.graphqlUrl)(wish);
    isThere = false;
    const again = await create(gateway.graphqlUrl)(wish);
    expect(first).toMatchObject({ __typename: 'CreateImageToVideoSuccess' });
    expect(again).toEqual(first);
    expect(server.connections()).toBe(1);
  });

  it('a mutation whose image is being looked at when the gateway stops is told so at once, and to try again', async () => {
    const asked = deferred();
    const { port } = await startImageServer(() => {
      asked.resolve();
    });
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider, env: CHECKED, overrides: { wrap: lookAround } });
    const wish = { input: input({ imageUrl: `http://127.0.0.1:${port}/a.png` }) };
    const answer = graphql(gateway.graphqlUrl, CREATE, wish);
    await asked.promise;
    await gateway.close();
    const { body, headers, status } = await answer;
    expect(status).toBe(503);
    expect(headers.get('retry-after')).toBe('5');
    const [error] = body.errors ?? [];
    expect(error?.message).toContain('nothing was stored');
    expect(error?.extensions).toMatchObject({ code: 'SERVICE_UNAVAILABLE', hint: 'Try again in 5 s.' });
    expect(provider.requests()).toEqual([]);
  });

  it('addresses that are not public are unreachable, but for what was uploaded here', async () => {
    const server = await startImageServer((_request, response) => response.end());
    const url = `http://127.0.0.1:${server.port}/kineograph/1.png`;
    const provider = await startFakeProvider();
    provider.answer('createTask', created('kie-1'));
    provider.answer('upload', uploaded(url));
    const gateway = await startGateway({ provider, env: CHECKED });
    const before = await create(gateway.graphqlUrl)({ imageUrl: url });
    expect(before).toMatchObject({ issues: [{ code: 'IMAGE_UNREACHABLE' }] });

    const headers = { 'content-type': 'image/png' };
    const body = new Uint8Array(await imageBytes());
    await fetch(`${gateway.url}/uploads`, { method: 'POST', headers, body });
    const after = await create(gateway.graphqlUrl)({ imageUrl: url });
    expect(after).toMatchObject({ __typename: 'CreateImageToVideoSuccess' });
    expect(server.connections()).toBe(0);
  });
});

test('without CHECK_IMAGES nobody looks at an image', async () => {
  const server = await startImageServer((_request, response) => response.end());
  const provider = await startFakeProvider();
  provider.answer('createTask', created('kie-1'));
  const gateway = await startGateway({ provider });
  const result = await create(gateway.graphqlUrl)({ imageUrl: `http://127.0.0.1:${server.port}/a.png` });
  expect(result).toMatchObject({ __typename: 'CreateImageToVideoSuccess' });
  expect(server.connections()).toBe(0);
});
