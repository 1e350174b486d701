import type { TaskInput } from './task.ts';

/** What the benchmark tells a server when it starts it. */
export interface StartOptions {
  readonly tasks: number;
  readonly input: TaskInput;
}

/** Read from the only argument. */
export function startOptions(): StartOptions {
  return JSON.parse(process.argv[2] ?? '') as StartOptions;
}
