import { type ApiTask, type TaskState, CREATE, input } from '../kit/documents.ts';
import { deferred } from '../kit/waits.ts';
import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { HMAC_KEY, startGateway, type Gateway, type GatewayOptions } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { created, callbackFail, callbackSuccess, deliverCallback, sign } from '../kit/kie.ts';

/** A task that moves when the test says so. */
export interface TaskLife {
  readonly id: string;
  /** The task as the mutation answered with it. */
  readonly created: ApiTask;
  readonly providerTaskId: string;
  /** Has the provider call back with this state; resolves when the gateway has taken it. */
  move(state: Exclude<TaskState, 'SUBMITTING'>): Promise<void>;
}

/** A gateway that announces a task before the provider has answered, so that its life can be seen from SUBMITTING on. */
export async function startLifeGateway(
  options: Omit<GatewayOptions, 'provider'> = {},
): Promise<{ readonly gateway: Gateway; readonly provider: FakeProvider }> {
  const provider = await startFakeProvider();
  const overrides = { ...options.overrides, timings: { createWait: 0, ...options.overrides?.timings } };
  const gateway = await startGateway({ ...options, provider, overrides });
  return { gateway, provider };
}

/** Creates a task, which stays SUBMITTING until it is moved: the provider's answer waits for the first callback. */
export async function beginLife(
  { gateway, provider }: { readonly gateway: Gateway; readonly provider: FakeProvider },
  providerTaskId: string,
): Promise<TaskLife> {
  const gate = deferred();
  provider.answer('createTask', { ...created(providerTaskId), gate: gate.promise });
  const { body } = await graphql(gateway.graphqlUrl, CREATE, { input: input() });
  const result = dataOf(body).createImageToVideo;
  if (result.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(result));
  const url = gateway.callbackUrl(await provider.received('createTask'));

  return {
    id: result.task.id,
    created: result.task,
    providerTaskId,
    async move(state) {
      const { status } = await deliverCallback(
        url,
        callbackFor(providerTaskId, state),
        sign(HMAC_KEY, providerTaskId),
      );
      if (status !== 200) throw new Error(`The callback with ${state} was answered with ${status}`);
      gate.resolve();
    },
  };
}

function callbackFor(providerTaskId: string, state: TaskState) {
  if (state === 'SUCCESS') return callbackSuccess(providerTaskId);
  if (state === 'FAIL') return callbackFail(providerTaskId);
  return callbackSuccess(providerTaskId, { state: state.toLowerCase(), resultJson: null });
}
