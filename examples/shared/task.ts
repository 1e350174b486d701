/** What the examples ask for of a task. */
export interface Task {
  readonly id: string;
  /** Grows with every change. */
  readonly revision: number;
  readonly state: string;
  /** Empty until the state is SUCCESS. */
  readonly videos: readonly { readonly url: string }[];
  /** Set exactly when the state is FAIL. */
  readonly failure: { readonly message: string } | null | undefined;
}

/** What the mutation answers: a task, or why there is none. */
export interface CreateData {
  readonly createImageToVideo: {
    readonly __typename: string;
    readonly task?: Task;
    readonly message?: string;
  };
}

export interface TaskUpdatedData {
  readonly taskUpdated: Task;
}

export interface TasksUpdatedData {
  readonly tasksUpdated: Task;
}

export interface RevisionData {
  readonly tasks: { readonly revision: number };
}

/** The task that was created; throws, saying why, when none was. */
export function created({ createImageToVideo }: CreateData): Task {
  const { __typename, message, task } = createImageToVideo;
  if (__typename === 'CreateImageToVideoSuccess' && task) return task;
  throw new Error(`${__typename}: ${message ?? ''}`);
}

/** Prints what became of a task. Returns whether it has ended; throws when it ended without a video. */
export function show({ failure, state, videos }: Task): boolean {
  if (failure) throw new Error(failure.message);
  console.log(state, ...videos.map(({ url }) => url));
  return state === 'SUCCESS';
}
