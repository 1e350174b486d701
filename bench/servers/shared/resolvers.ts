import { DateTime, SafeInt } from './scalars.ts';
import type { TaskInput } from './task.ts';
import type { Tasks } from './tasks.ts';

/** What every schema-first peer does with queries and mutations; each has its own way of subscriptions and unions. */
export function resolversOf(tasks: Tasks) {
  return {
    DateTime,
    SafeInt,
    Query: { task: (_root: unknown, { id }: { readonly id: string }) => tasks.get(id) ?? null },
    Mutation: {
      createImageToVideo: (_root: unknown, args: { readonly input: TaskInput }) => ({
        task: tasks.create(args.input),
      }),
    },
  };
}
