/** A: GraphQL Yoga, Pothos and graphql-ws, put together as their guides show. */
import type { ExecutionArgs } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { createYoga } from 'graphql-yoga';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { listen } from './shared/listen.ts';
import { readJson } from './shared/read-json.ts';
import { startOptions } from './shared/start-options.ts';
import { createTasks, type CallbackBody } from './shared/tasks.ts';
import { createSchema, createTaskPubSub } from './yoga-schema.ts';

const { tasks: count, input } = startOptions();
const tasks = createTasks(count, input);
const pubsub = createTaskPubSub();
const yoga = createYoga({ schema: createSchema(tasks, pubsub) });

const server = createServer((request, response) => {
  if (request.url !== '/webhook') {
    void yoga(request, response);
    return;
  }
  readJson(request, (body) => {
    const task = tasks.apply(body as CallbackBody);
    pubsub.publish('tasks', task);
    pubsub.publish('task', task.id, task);
    response.setHeader('content-type', 'application/json').end('{"code":200,"msg":"success"}');
  });
});

/** The engine's own functions travel in `rootValue`, as the guide has it. */
interface Engine {
  readonly rootValue: Pick<ReturnType<typeof yoga.getEnveloped>, 'execute' | 'subscribe'>;
}

useServer(
  {
    execute: (args) => (args as unknown as Engine).rootValue.execute(args),
    subscribe: (args) => (args as unknown as Engine).rootValue.subscribe(args),
    onSubscribe: async (context, _id, params) => {
      const { contextFactory, execute, parse, schema, subscribe, validate } = yoga.getEnveloped({
        ...context,
        req: context.extra.request,
        socket: context.extra.socket,
        params,
      });
      const args: ExecutionArgs = {
        schema,
        operationName: params.operationName,
        document: parse(params.query),
        variableValues: params.variables,
        contextValue: await contextFactory(),
        rootValue: { execute, subscribe },
      };
      const errors = validate(args.schema, args.document);
      return errors.length > 0 ? errors : args;
    },
  },
  new WebSocketServer({ server, path: yoga.graphqlEndpoint }),
);

listen(server);
