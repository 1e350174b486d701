import { expect } from 'vitest';
import type { TaskPorts } from '../../src/tasks/ports.ts';
import { addTask, change, OWNER } from '../websocket/stored-tasks.ts';
import { TASK_UPDATED } from '../kit/documents.ts';
import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway, type GatewayOptions } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';

export interface Attacked {
  readonly gateway: Gateway;
  readonly provider: FakeProvider;
  readonly ports: TaskPorts;
  /**
   * Attacks, while somebody else, who has done nothing, watches a task over one socket: all through the attack and
   * after it each change of that task must arrive there.
   */
  withstands<T>(attack: () => Promise<T>): Promise<T>;
}

export interface AttackedOptions extends Omit<GatewayOptions, 'overrides'> {
  /** Who the bystander is, where that is asked. */
  readonly owner?: string;
  readonly authorization?: string;
}

/** A gateway with a well-behaved subscriber. */
export async function startAttacked(options: AttackedOptions = {}): Promise<Attacked> {
  const { authorization, owner = OWNER } = options;
  const provider = options.provider ?? (await startFakeProvider());
  let ports: TaskPorts | undefined;
  const wrap = (made: TaskPorts): TaskPorts => (ports = made);
  const gateway = await startGateway({ ...options, provider, overrides: { wrap } });
  if (!ports) throw new Error('The gateway did not wrap its ports');
  const { store } = ports;

  let task = await addTask(store, { owner });
  const socket = await openGraphqlWs(gateway.graphqlUrl, {
    ...(authorization !== undefined && { connectionParams: { authorization } }),
  });
  const watch = socket.subscribe({ query: TASK_UPDATED, variables: { id: task.id } }, 'bystander');
  await watch.next();
  const isServed = async (): Promise<void> => {
    task = await change(store, task);
    expect((await watch.data()).taskUpdated.revision).toBe(task.revision);
  };

  return {
    gateway,
    provider,
    ports,
    async withstands(attack) {
      let isOver = false;
      const attacked = attack().finally(() => (isOver = true));
      // Whatever it ends with is looked at below.
      attacked.catch(() => undefined);
      do await isServed();
      while (!isOver as boolean);
      const result = await attacked;
      await isServed();
      return result;
    },
  };
}
