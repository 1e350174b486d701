import { expect, test } from 'vitest';
import { openToOthers } from '../../src/store/sqlite/data-dir.ts';
import { createTask, watchToTheEnd } from '../system/client.ts';
import { startGateway } from '../kit/gateway.ts';
import { imageBytes } from '../kit/images.ts';

test('with the sandbox an uploaded image is served, also after a restart, is closed to other users, and becomes a video', async () => {
  const gateway = await startGateway({ sandbox: { durationMs: 10 } });
  const bytes = await imageBytes('webp');
  const headers = { 'content-type': 'image/webp' };
  const answer = await fetch(`${gateway.url}/uploads`, {
    method: 'POST',
    headers,
    body: new Uint8Array(bytes),
  });
  const { url } = (await answer.json()) as { readonly url: string };
  expect(url).toMatch(new RegExp(`^${gateway.url}/sandbox/files/uploads/kineograph/[\\da-f-]+\\.webp$`));

  expect(openToOthers(gateway.dataDir)).toEqual([]);

  const { id } = await createTask(gateway.graphqlUrl, { imageUrl: url });
  const seen = await watchToTheEnd(gateway.graphqlUrl, id);
  expect(seen.at(-1)).toMatchObject({ state: 'SUCCESS', imageUrl: url });

  await gateway.close();
  const next = await startGateway({ dataDir: gateway.dataDir });
  const served = await fetch(next.url + new URL(url).pathname);
  expect(served.headers.get('content-type')).toBe('image/webp');
  expect(Buffer.from(await served.arrayBuffer()).equals(bytes)).toBe(true);
});
