import { INPUT } from '../client/documents.ts';
import { openHttp, postRequest } from '../client/http-connection.ts';
import { taskId } from '../servers/shared/task-name.ts';
import { portOf, startNode } from '../support/processes.ts';
import { callbackBody } from './callback-body.ts';
import type { Needs, Owner, Subject } from './subject.ts';

const SCRIPTS = { A: 'yoga', B: 'mercurius', C: 'apollo', D: 'raw' } as const;

/** A peer with tasks that it made for itself when it started: they live in its memory alone. */
export async function startPeer(name: keyof typeof SCRIPTS, needs: Needs): Promise<Subject> {
  const input = { ...INPUT, ...(needs.prompt !== undefined && { prompt: needs.prompt }) };
  const count = needs.tasks + (needs.strangers ?? 0);
  const options = JSON.stringify({ tasks: count, input });
  const spawned = performance.now();
  // The guides' own ways make Node warn of many listeners.
  const child = startNode(['--no-warnings', `bench/dist/${SCRIPTS[name]}.js`, options]);
  const port = await portOf(child, `server ${name}`);
  await answersOnce(port);
  const startMs = performance.now() - spawned;
  const tasks = Array.from({ length: count }, (_, number) => ({ number, id: taskId(number) }));
  const anybody: Omit<Owner, 'tasks'> = { init: {}, headers: {}, after: (subscriber) => subscriber };
  return {
    name,
    startMs,
    ports: [port],
    pids: [child.pid],
    ...anybody,
    tasks: tasks.slice(0, needs.tasks),
    stranger: { ...anybody, tasks: tasks.slice(needs.tasks) },
    callback: ({ number }, move, videoUrl) => postRequest('/webhook', callbackBody(number, move, videoUrl)),
    stop: () => child.kill(),
  };
}

/** Resolves when a first query was answered. */
export async function answersOnce(port: number, headers: Subject['headers'] = {}): Promise<void> {
  const connection = await openHttp(port);
  const query = { query: 'query ($id: ID!) { task(id: $id) { id } }', variables: { id: taskId(0) } };
  const { status } = await connection.send(postRequest('/graphql', query, headers));
  connection.end();
  if (status !== 200) throw new Error(`a first query was answered with ${status}`);
}
