/** B: Mercurius with its JIT and its own subscriptions. */
import Fastify from 'fastify';
import mercurius, { type PubSub } from 'mercurius';
import type { AddressInfo } from 'node:net';
import { contract } from './shared/contract.ts';
import { tellPort } from './shared/listen.ts';
import { resolversOf } from './shared/resolvers.ts';
import { startOptions } from './shared/start-options.ts';
import type { Task } from './shared/task.ts';
import { createTasks, type CallbackBody } from './shared/tasks.ts';

const { tasks: count, input } = startOptions();
const tasks = createTasks(count, input);

interface Id {
  readonly id: string;
}

const subscribeTo = (topic: (args: Id) => string) => ({
  subscribe: (_root: unknown, args: Id, { pubsub }: { readonly pubsub: PubSub }) =>
    pubsub.subscribe(topic(args)),
  resolve: (task: Task) => task,
});

const app = Fastify();
await app.register(mercurius, {
  schema: contract,
  jit: 1,
  subscription: true,
  resolvers: {
    ...resolversOf(tasks),
    CreateImageToVideoResult: { resolveType: () => 'CreateImageToVideoSuccess' },
    UserError: { resolveType: () => 'ValidationError' },
    Subscription: {
      taskUpdated: subscribeTo(({ id }) => `task:${id}`),
      tasksUpdated: subscribeTo(() => 'tasks'),
    },
  },
});

app.post('/webhook', (request, reply) => {
  const task = tasks.apply(request.body as CallbackBody);
  // As an event of mqemitter: the members beside the topic are what subscribers get.
  app.graphql.pubsub.publish({ topic: 'tasks', payload: task });
  app.graphql.pubsub.publish({ topic: `task:${task.id}`, payload: task });
  return reply.send({ code: 200, msg: 'success' });
});

await app.listen({ host: '127.0.0.1', port: 0, backlog: 4096 });
tellPort((app.server.address() as AddressInfo).port);
