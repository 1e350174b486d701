import {
  type ApiCancelResult,
  type ApiCreateResult,
  type ApiTask,
  type ApiTaskConnection,
  CANCEL,
  CREATE,
  TASK,
  TASKS,
  input,
} from '../kit/documents.ts';
import type { Gateway } from '../kit/gateway.ts';
import { graphql, dataOf, type GraphqlErrorBody } from '../kit/graphql.ts';
import { createBody } from '../kit/kie.ts';
import type { ProviderRequest } from '../kit/provider.ts';

export type Fields = Parameters<typeof input>[0];

/** A gateway, in this process or in another one. */
export type Reachable = Pick<Gateway, 'graphqlUrl'>;

/** Sends the mutation with a valid input and these fields. */
export async function create({ graphqlUrl }: Reachable, fields: Fields = {}): Promise<ApiCreateResult> {
  const { body } = await graphql(graphqlUrl, CREATE, { input: input(fields) });
  return dataOf(body).createImageToVideo;
}

/** The same when it must succeed: the task. */
export async function createTask(gateway: Reachable, fields: Fields = {}): Promise<ApiTask> {
  return taskOf(await create(gateway, fields));
}

/** The task of a mutation that must have succeeded. */
export function taskOf(result: ApiCreateResult): ApiTask {
  if (result.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(result));
  return result.task;
}

/** `cancelTask(id)`. */
export async function cancelTask(gateway: Gateway, id: string): Promise<ApiCancelResult> {
  const { body } = await graphql(gateway.graphqlUrl, CANCEL, { id });
  return dataOf(body).cancelTask;
}

/** `task(id)`. */
export async function findTask(gateway: Gateway, id: string): Promise<ApiTask | null> {
  const { body } = await graphql(gateway.graphqlUrl, TASK, { id });
  return dataOf(body).task;
}

/** `tasks`, with the arguments that are given. */
export async function listTasks(
  gateway: Gateway,
  args: Readonly<Record<string, unknown>> = {},
): Promise<ApiTaskConnection> {
  const { body } = await graphql(gateway.graphqlUrl, TASKS, args);
  return dataOf(body).tasks;
}

/** The ids of a page, in its order. */
export function idsOf({ edges }: ApiTaskConnection): string[] {
  return edges.map(({ node }) => node.id);
}

/** The only error with which an operation was answered. */
export async function errorOf(
  gateway: Gateway,
  query: string,
  variables: Readonly<Record<string, unknown>> = {},
): Promise<GraphqlErrorBody> {
  const { body } = await graphql(gateway.graphqlUrl, query, variables);
  const [error, ...others] = body.errors ?? [];
  if (error === undefined || others.length > 0) throw new Error(`Not one error: ${JSON.stringify(body)}`);
  return error;
}

/** Our id of the task that a create call is about, which the provider sees before any client does. */
export function taskIdOf(request: ProviderRequest): string {
  const { pathname } = new URL(String(createBody(request).callBackUrl));
  return pathname.split('/').at(-2) ?? '';
}
