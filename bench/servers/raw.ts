/** D: what the sockets can do. No GraphQL; one ready-made message, or answer, for everybody. */
import { createServer } from 'node:http';
import { WebSocketServer, type WebSocket } from 'ws';
import { listen } from './shared/listen.ts';
import { readJson } from './shared/read-json.ts';
import { startOptions } from './shared/start-options.ts';
import type { Task } from './shared/task.ts';
import { createTasks, type CallbackBody } from './shared/tasks.ts';

/** As long as the ids of everybody else. */
const SUBSCRIPTION = '00000000-0000-4000-8000-000000000000';

const { tasks: count, input } = startOptions();
const tasks = createTasks(count, input);
const everybody = new Set<WebSocket>();
const watchers = new Map<string, Set<WebSocket>>();

const server = createServer((request, response) => {
  readJson(request, (body) => {
    response.setHeader('content-type', 'application/json');
    if (request.url !== '/webhook') {
      const { variables } = body as { readonly variables: { readonly id: string } };
      response.end(JSON.stringify({ data: { task: shown(tasks.get(variables.id)) } }));
      return;
    }
    tell(tasks.apply(body as CallbackBody));
    response.end('{"code":200,"msg":"success"}');
  });
});

const sockets = new WebSocketServer({ server, clientTracking: false, perMessageDeflate: false });
sockets.on('connection', (socket) => {
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as Message;
    if (message.type === 'connection_init') socket.send('{"type":"connection_ack"}');
    else if (message.type === 'subscribe') join(socket, message.payload.variables.id);
  });
});

interface Message {
  readonly type: string;
  readonly payload: { readonly variables: { readonly id?: string } };
}

function join(socket: WebSocket, id: string | undefined): void {
  const members = id === undefined ? everybody : (watchers.get(id) ?? new Set<WebSocket>());
  if (id !== undefined) watchers.set(id, members);
  members.add(socket);
  socket.on('close', () => members.delete(socket));
}

function tell(task: Task): void {
  send(everybody, 'tasksUpdated', task);
  send(watchers.get(task.id), 'taskUpdated', task);
}

function send(members: ReadonlySet<WebSocket> | undefined, field: string, task: Task): void {
  if (!members || members.size === 0) return;
  const payload = { data: { [field]: shown(task) } };
  const message = Buffer.from(JSON.stringify({ id: SUBSCRIPTION, type: 'next', payload }));
  for (const socket of members) socket.send(message, { binary: false });
}

/** In the order in which the benchmark selects the fields. */
function shown(task: Task | undefined): unknown {
  if (!task) return null;
  const { id, providerTaskId, state, createdAt, updatedAt, completedAt, ...rest } = task;
  const videos = task.videos.map(({ url }) => ({ url }));
  const times = { createdAt: iso(createdAt), updatedAt: iso(updatedAt), completedAt: iso(completedAt) };
  return { providerTaskId, state, id, ...rest, videos, ...times };
}

function iso(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}

listen(server);
