/** C: Apollo Server 5 on Express with graphql-ws and graphql-subscriptions, put together as its guide shows. */
import { ApolloServer } from '@apollo/server';
import { expressMiddleware } from '@as-integrations/express5';
import { makeExecutableSchema } from '@graphql-tools/schema';
import express from 'express';
import { PubSub } from 'graphql-subscriptions';
import { useServer } from 'graphql-ws/use/ws';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { contract } from './shared/contract.ts';
import { listen } from './shared/listen.ts';
import { resolversOf } from './shared/resolvers.ts';
import { startOptions } from './shared/start-options.ts';
import type { Task } from './shared/task.ts';
import { createTasks, type CallbackBody } from './shared/tasks.ts';

const { tasks: count, input } = startOptions();
const tasks = createTasks(count, input);
const pubsub = new PubSub();

interface Id {
  readonly id: string;
}

const subscribeTo = (topic: (args: Id) => string) => ({
  subscribe: (_root: unknown, args: Id) => pubsub.asyncIterableIterator(topic(args)),
  resolve: (task: Task) => task,
});

const schema = makeExecutableSchema({
  typeDefs: contract,
  resolvers: {
    ...resolversOf(tasks),
    CreateImageToVideoResult: { __resolveType: () => 'CreateImageToVideoSuccess' },
    UserError: { __resolveType: () => 'ValidationError' },
    Subscription: {
      taskUpdated: subscribeTo(({ id }) => `task:${id}`),
      tasksUpdated: subscribeTo(() => 'tasks'),
    },
  },
});

const app = express();
const httpServer = createServer(app);
useServer({ schema }, new WebSocketServer({ server: httpServer, path: '/graphql' }));
const apollo = new ApolloServer({ schema });
await apollo.start();
app.use('/graphql', express.json(), expressMiddleware(apollo));
app.post('/webhook', express.json(), async (request, response) => {
  const task = tasks.apply(request.body as CallbackBody);
  await pubsub.publish('tasks', task);
  await pubsub.publish(`task:${task.id}`, task);
  response.json({ code: 200, msg: 'success' });
});

listen(httpServer);
