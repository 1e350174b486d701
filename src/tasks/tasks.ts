import { once } from 'node:events';
import type { Model } from '../models/define-model.ts';
import { MODELS } from '../models/index.ts';
import { cancelTask, type CancelResult } from './cancel.ts';
import { estimateTask, type EstimateResult } from './estimate.ts';
import type { ModelStatus } from './recent-tasks.ts';
import { startReconciler } from './reconciler.ts';
import { createTask, type CreateResult } from './create.ts';
import { startHousekeeping, startRetention } from './housekeeping.ts';
import {
  findTask,
  listTasks,
  type ListQuery,
  type TaskPage,
  createQueuePositions,
  type QueuePosition,
} from './list.ts';
import type { TaskPorts } from './ports.ts';
import { createCallbacks, type Callbacks } from './callbacks.ts';
import { startSubmitter } from './submitter.ts';
import type { VisibleRecord } from './task.ts';
import { startTimeWatch } from './time-watch.ts';
import type { CreateInput } from './validate-input.ts';
import type { VideoArchive } from './video.ts';
import { watchTask, createWatchTasks, type TaskSubscription } from './subscriptions/subscription.ts';

/** Operations of clients. Every method sees only the tasks of `owner`. */
export interface TaskQueries {
  /** `reqId` identifies the request in the log. */
  create(owner: string, input: CreateInput, reqId?: string): Promise<CreateResult>;
  /** What `create` would cost. Stores and sends nothing. */
  estimate(owner: string, input: CreateInput): Promise<EstimateResult>;
  /** The models that clients may use, the default first. */
  readonly models: readonly Model[];
  /** By the provider's id of the model. */
  modelStatus(model: string): Promise<ModelStatus>;
  /** Cancels a queued task, by our id or the provider's. Rejects with NOT_FOUND. */
  cancel(owner: string, id: string): Promise<CancelResult>;
  readonly queuePosition: QueuePosition;
  /** By our id or the provider's; null if the owner has no such task. */
  find(owner: string, id: string): Promise<VisibleRecord | null>;
  list(owner: string, query: ListQuery): Promise<TaskPage>;
  watchOne(owner: string, id: string, after: number | null): Promise<TaskSubscription>;
  watchAll(owner: string, after: number | null): Promise<TaskSubscription>;
  /** The copies of videos; null when none are kept. */
  readonly archive: VideoArchive | null;
  /** Retention of ended tasks, in ms; null for ever. */
  readonly tasksKept: number | null;
  /** The balance of the provider account; null if it is unavailable. */
  credits(): Promise<number | null>;
}

export interface TaskCallbacks extends Callbacks {
  isToken(taskId: string, token: string): boolean;
}

export interface Tasks extends TaskQueries, TaskCallbacks {
  /** Starts submitting and polling. */
  start(): void;
  /**
   * Answers waiting mutations and starts no new work. Resolves with true when no create call is in flight, or with false
   * after `timeoutMs`, when the remaining outcomes are abandoned.
   */
  stop(timeoutMs: number): Promise<boolean>;
}

export function createTasks(ports: TaskPorts): Tasks {
  const { callbackAddress, clock, offered, pendingCreates, provider, recent, store } = ports;
  const abandoned = new AbortController();
  const stopping = new AbortController();
  let workers: ReturnType<typeof startWorkers> | null = null;
  const process = { wakeSubmitter: () => workers?.submitter.wake(), stopping: stopping.signal };

  return {
    create: (owner, input, reqId) => createTask(ports, process, { owner, input, reqId: reqId ?? null }),
    estimate: (owner, input) => estimateTask(ports, owner, input, stopping.signal),
    models: MODELS.filter(({ id }) => offered.has(id)),
    modelStatus: (model) => recent.status(model),
    cancel: (owner, id) => cancelTask(ports, owner, id),
    queuePosition: createQueuePositions(ports),
    find: (owner, id) => findTask(store, owner, id),
    list: (owner, query) => listTasks(store, owner, query),
    watchOne: (owner, id, after) => watchTask(ports, owner, id, after),
    watchAll: createWatchTasks(ports),
    archive: ports.archive,
    tasksKept: ports.timings.tasksKept,
    credits: createCredits(ports),

    isToken: (taskId, token) => callbackAddress.isToken(taskId, token),
    ...createCallbacks(ports, () => workers?.reconciler.wake()),

    start: () => {
      workers ??= startWorkers(ports, abandoned.signal);
    },
    stop: async (timeoutMs) => {
      pendingCreates.endWaiting();
      stopping.abort();
      await provider.close();
      const cancelTimer = clock.after(timeoutMs, () => {
        abandoned.abort();
      });
      const stopped = Promise.all((workers?.all ?? []).map((worker) => worker.stop()));
      await Promise.race([stopped, once(abandoned.signal, 'abort')]);
      cancelTimer();
      return !abandoned.signal.aborted;
    },
  };
}

/** How long a reported balance counts, in ms. */
const CREDITS_KEPT_MS = 1000;

/** All callers share one query of the balance. */
function createCredits({ clock, provider }: TaskPorts): () => Promise<number | null> {
  const now = clock.elapsed ?? clock.now;
  let answer: Promise<number | null> | null = null;
  let answeredAt = Infinity;
  return () => {
    if (now() - answeredAt >= CREDITS_KEPT_MS) {
      answer = null;
      answeredAt = Infinity;
    }
    answer ??= provider.credits().finally(() => {
      answeredAt = now();
    });
    return answer;
  };
}

function startWorkers(unwatched: TaskPorts, abandoned: AbortSignal) {
  const inFlight = new Set<string>();
  const timeWatch = startTimeWatch(unwatched);
  const { steadyFor, watchedFor } = timeWatch;
  const ports = { ...unwatched, clock: { ...unwatched.clock, steadyFor, watchedFor } };
  const { tasksKept } = ports.timings;
  const submitter = startSubmitter(ports, { abandoned, inFlight });
  const reconciler = startReconciler(ports, inFlight);
  const others = [
    timeWatch,
    startHousekeeping(ports),
    ...(tasksKept === null ? [] : [startRetention(ports, tasksKept)]),
    ...ports.workers.map((start) => start(ports)),
  ];
  return { submitter, reconciler, all: [submitter, reconciler, ...others] };
}
