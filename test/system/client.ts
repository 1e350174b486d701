import { type ApiTask, CREATE, TASK_UPDATED, input } from '../kit/documents.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';

/** Creates a task that must be accepted or stored. */
export async function createTask(
  graphqlUrl: string,
  overrides: Parameters<typeof input>[0] = {},
  token?: string,
): Promise<ApiTask> {
  const { body } = await graphql(graphqlUrl, CREATE, { input: input(overrides) }, headersOf(token));
  const result = dataOf(body).createImageToVideo;
  if (result.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(result));
  return result.task;
}

/** Every state of a task that a subscriber sees over a WebSocket, from the present one to the last. */
export async function watchToTheEnd(
  graphqlUrl: string,
  id: string,
  token?: string,
): Promise<readonly ApiTask[]> {
  const connectionParams = headersOf(token);
  const socket = await openGraphqlWs(graphqlUrl, { connectionParams });
  const seen: ApiTask[] = [];
  for await (const result of socket.subscribe({ query: TASK_UPDATED, variables: { id } })) {
    seen.push(dataOf(result).taskUpdated);
  }
  await socket.close();
  return seen;
}

function headersOf(token?: string): Readonly<Record<string, string>> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}
