/** A kie.ai that takes every create at once, names tasks in order, and never calls back: the benchmark does. */
import { createServer } from 'node:http';
import { listen } from './shared/listen.ts';
import { readJson } from './shared/read-json.ts';
import { taskName } from './shared/task-name.ts';

let count = 0;

const server = createServer((request, response) => {
  response.setHeader('content-type', 'application/json');
  if (request.method === 'GET') {
    const taskId = new URL(request.url ?? '', 'http://provider').searchParams.get('taskId');
    response.end(envelope(taskId === null ? 10_000 : { taskId, state: 'waiting' }));
    return;
  }
  readJson(request, (body) => {
    const { callBackUrl } = body as { readonly callBackUrl: string };
    const number = count;
    count += 1;
    // Told before the answer, so that whoever has the answer can call back.
    process.send?.({ number, callback: new URL(callBackUrl).pathname });
    response.end(envelope({ taskId: taskName(number) }));
  });
});

function envelope(data: unknown): string {
  return JSON.stringify({ code: 200, msg: 'success', data });
}

listen(server);
