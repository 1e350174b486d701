/** The provider's id of a task tells the benchmark which one it is: the client reads the number out of each message. */
export function taskName(number: number): string {
  return `${PREFIX}${String(number).padStart(DIGITS, '0')}`;
}

/** The id of a task in a peer. */
export function taskId(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
}

export const PREFIX = 'task_hailuo_';
export const DIGITS = 8;
