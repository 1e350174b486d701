import type { Context } from './context.ts';

export function creditsRemaining({ tasks }: Context): Promise<number | null> {
  return tasks.credits();
}
