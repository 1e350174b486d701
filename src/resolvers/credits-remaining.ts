import type { Context } from './context.ts';

export function creditsRemaining({ caller, tasks }: Context): Promise<number | null> {
  return caller.maySeeCredits ? tasks.credits() : Promise.resolve(null);
}
