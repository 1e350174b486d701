/** A: GraphQL Yoga, Pothos and graphql-ws, put together as their guides show. */
import type { execute, ExecutionArgs, GraphQLSchema, parse, subscribe, validate } from 'graphql';
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

/** What Yoga's `getEnveloped` gives, as graphql-js types it. */
interface Engine {
  readonly schema: GraphQLSchema;
  readonly parse: typeof parse;
  readonly validate: typeof validate;
  readonly execute: typeof execute;
  readonly subscribe: typeof subscribe;
  readonly contextFactory: () => unknown;
}

/** The engine's own functions travel in `rootValue`, as the guide has it. */
function engineIn(args: ExecutionArgs): Pick<Engine, 'execute' | 'subscribe'> {
  return args.rootValue as Engine;
}

useServer(
  {
    execute: (args) => engineIn(args).execute(args),
    subscribe: (args) => engineIn(args).subscribe(args),
    onSubscribe: async (context, _id, params) => {
      const engine = yoga.getEnveloped({
        ...context,
        req: context.extra.request,
        socket: context.extra.socket,
        params,
      }) as Engine;
      const args: ExecutionArgs = {
        schema: engine.schema,
        operationName: params.operationName,
        document: engine.parse(params.query),
        variableValues: params.variables,
        contextValue: await engine.contextFactory(),
        rootValue: engine,
      };
      const errors = engine.validate(args.schema, args.document);
      return errors.length > 0 ? errors : args;
    },
  },
  new WebSocketServer({ server, path: yoga.graphqlEndpoint }),
);

listen(server);
