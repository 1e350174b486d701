import { CREATE } from '../client/documents.ts';
import { openHttp, postRequest } from '../client/http-connection.ts';
import { inParallel } from '../support/in-parallel.ts';

/** Creates tasks through the mutation, as anybody would; ids in order of the answers. */
export async function createTasks(
  port: number,
  key: string,
  count: number,
  input: Readonly<Record<string, string>>,
): Promise<string[]> {
  const width = 50;
  const connections = await Promise.all(Array.from({ length: width }, () => openHttp(port)));
  const request = postRequest(
    '/graphql',
    { query: CREATE, variables: { input } },
    { authorization: `Bearer ${key}` },
  );
  const ids: string[] = [];
  await inParallel(Array.from({ length: count }), width, async (_, lane) => {
    const { body, status } = (await connections[lane]?.send(request)) ?? { body: '', status: 0 };
    const id = /"id":"([^"]+)"/.exec(body)?.[1];
    if (id === undefined) throw new Error(`a create was answered with ${status}: ${body.slice(0, 500)}`);
    ids.push(id);
  });
  for (const connection of connections) connection.end();
  return ids;
}
