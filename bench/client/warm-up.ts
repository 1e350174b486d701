import { MOVES, type Subject } from '../subjects/subject.ts';
import { within } from '../support/within.ts';
import { openAudience } from './audience.ts';
import type { Callers } from './callers.ts';

const WATCHERS = 5;
const SPARE = 10;
const LIMIT_MS = 60_000;

/** For the notes of scenarios that do so. */
export const WARMED_UP = `First the tasks of somebody else move through all their states, watched by ${WATCHERS} sockets that then leave`;

/**
 * Moves a stranger's tasks to their ends, watched by a few sockets that then leave. Servers run for months, and one that
 * has answered a handful of callbacks still runs code that was hardly compiled.
 */
export async function warmUp(subject: Subject, callers: Callers): Promise<void> {
  const { stranger } = subject;
  const audience = await openAudience(
    { ...subject, ...stranger },
    WATCHERS,
    callers,
    stranger.tasks.slice(0, SPARE),
  );
  const tasks = stranger.tasks.slice(SPARE);
  const deliveries = audience.expect(tasks);
  for (const move of MOVES) await callers.move(tasks, move);
  await within(
    LIMIT_MS,
    deliveries.describe,
    Promise.all(tasks.map(({ number }) => deliveries.delivered(number))),
  );
  audience.end();
}
