import { type ApiTask, CREATE, TASK, TASK_UPDATED, input } from '../kit/documents.ts';
import { startFakeProvider, type FakeProvider, type ProviderRequest } from '../kit/provider.ts';
import { startGateway, type Gateway, type GatewayOptions } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created } from '../kit/kie.ts';

/** A gateway, its provider, and a task that the provider has taken as `kie-1`. */
export interface CalledBack {
  readonly provider: FakeProvider;
  readonly gateway: Gateway;
  readonly task: ApiTask;
  readonly create: ProviderRequest;
  /** Where the provider calls back for the task, at the gateway's own address. */
  readonly callback: string;
}

type Options = Omit<GatewayOptions, 'provider'> & { readonly provider?: FakeProvider };

/** A gateway and its provider, a fake one of its own unless it is given. */
export async function startWithProvider(
  options: Options = {},
): Promise<Pick<CalledBack, 'gateway' | 'provider'>> {
  const provider = options.provider ?? (await startFakeProvider());
  return { gateway: await startGateway({ ...options, provider }), provider };
}

export async function startWithTask(options: Options = {}): Promise<CalledBack> {
  const scene = await startWithProvider(options);
  return { ...scene, ...(await takeTask(scene, 'kie-1')) };
}

/** Another task, which the provider takes as `providerTaskId`. */
export async function takeTask(
  { gateway, provider }: Pick<CalledBack, 'gateway' | 'provider'>,
  providerTaskId: string,
): Promise<Pick<CalledBack, 'callback' | 'create' | 'task'>> {
  provider.answer('createTask', created(providerTaskId));
  const task = await submit(gateway);
  const create = await provider.received('createTask');
  return { task, create, callback: gateway.callbackUrl(create) };
}

/** Sends the mutation, which must succeed; the task in its answer. */
export async function submit(gateway: Gateway): Promise<ApiTask> {
  const { body } = await graphql(gateway.graphqlUrl, CREATE, { input: input() });
  const result = dataOf(body).createImageToVideo;
  if (result.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(result));
  return result.task;
}

/** A task as it is now; it must exist. */
export async function readTask(gateway: Gateway, id: string): Promise<ApiTask> {
  const { task } = dataOf((await graphql(gateway.graphqlUrl, TASK, { id })).body);
  if (task === null) throw new Error(`There is no task ${id}`);
  return task;
}

/** A subscription to a task. `next()` is the task as it is now, and then after each change. */
export async function watchTask(
  gateway: Gateway,
  id: string,
): Promise<{ next(): Promise<ApiTask>; completed(): Promise<void> }> {
  const socket = await openGraphqlWs(gateway.graphqlUrl);
  const stream = socket.subscribe({ query: TASK_UPDATED, variables: { id } });
  return {
    next: async () => (await stream.data()).taskUpdated,
    completed: () => stream.completed(),
  };
}
