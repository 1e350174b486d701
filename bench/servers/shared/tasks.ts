import { taskId, taskName } from './task-name.ts';
import type { Task, TaskInput } from './task.ts';

/** What a callback says; the same body for peers and gateway. */
export interface CallbackBody {
  readonly data: {
    readonly taskId: string;
    readonly state: string;
    readonly resultJson: string | null;
    readonly consumeCredits: number | null;
  };
}

/** Tasks in memory: nothing is durable, checked or limited. */
export interface Tasks {
  get(id: string): Task | undefined;
  create(input: TaskInput): Task;
  /** Moves the task that the callback names. */
  apply(callback: CallbackBody): Task;
}

const DAY = 24 * 3_600_000;

/** `count` tasks in state WAITING, named as the provider of the benchmark names them. */
export function createTasks(count: number, input: TaskInput): Tasks {
  const byId = new Map<string, Task>();
  const idOf = new Map<string, string>();
  let revision = 0;

  function put(task: Task): Task {
    byId.set(task.id, task);
    return task;
  }

  function create({ endImageUrl = null, imageUrl, prompt, promptOptimizer = null }: TaskInput): Task {
    const now = Date.now();
    const number = idOf.size;
    const providerTaskId = taskName(number);
    const task = put({
      id: taskId(number),
      state: 'WAITING',
      model: 'hailuo/02-image-to-video-pro',
      prompt,
      imageUrl,
      endImageUrl,
      promptOptimizer,
      videos: [],
      failure: null,
      providerTaskId,
      creditsConsumed: null,
      revision: (revision += 1),
      createdAt: now,
      updatedAt: now,
      completedAt: null,
    });
    idOf.set(providerTaskId, task.id);
    return task;
  }

  function apply({ data }: CallbackBody): Task {
    const task = byId.get(idOf.get(data.taskId) ?? '');
    if (!task) throw new Error(`no task ${data.taskId}`);
    const now = Date.now();
    const state = data.state.toUpperCase();
    const moved = { ...task, state, revision: (revision += 1), updatedAt: now };
    if (state !== 'SUCCESS') return put(moved);
    const { resultUrls } = JSON.parse(data.resultJson ?? '{"resultUrls":[]}') as { resultUrls: string[] };
    const videos = resultUrls.map((url) => ({ url, expiresAt: now + DAY }));
    return put({ ...moved, videos, creditsConsumed: data.consumeCredits, completedAt: now });
  }

  for (let number = 0; number < count; number += 1) create(input);
  return { get: (id) => byId.get(id) ?? byId.get(idOf.get(id) ?? ''), create, apply };
}
