import type { Page } from './change-source.ts';
import type { Step } from './turns.ts';

/** Somebody who waits for what is newer than a revision. */
interface Reader {
  readonly after: number;
  readonly resolve: (page: Page) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads pages for many who read the same changes: what is read for one is given to all others who had asked by then and
 * whose place it covers. So each gets what the store held after it had asked, as if it had read by itself. `letIn` is
 * given what is to be done step by step: each step reads one page, or gives it to one reader.
 */
export function createSharedPages(
  readPage: (after: number) => Promise<Page>,
  letIn: (step: Step) => void,
): (after: number) => Promise<Page> {
  let asking: Reader[] = [];
  const giving: (() => void)[] = [];
  let isReading = false;

  const hasWork = (): boolean => giving.length > 0 || (asking.length > 0 && !isReading);

  function step(): boolean {
    const give = giving.shift();
    if (give) give();
    else void readFor(asking);
    return hasWork();
  }

  async function readFor(readers: readonly Reader[]): Promise<void> {
    const [first] = readers;
    if (!first) return;
    isReading = true;
    asking = [];
    try {
      const page = await readPage(first.after);
      const last = page.hasMore ? (page.changes.at(-1)?.revision ?? 0) : Infinity;
      const covers = ({ after }: Reader): boolean => after >= first.after && after < last;
      for (const { after, resolve } of readers.filter(covers))
        giving.push(() => {
          resolve(after === first.after ? page : newerThan(after, page));
        });
      asking = [...readers.filter((reader) => !covers(reader)), ...asking];
    } catch (error) {
      // One by one they would each wait as long for a store that is away.
      for (const { reject } of readers) reject(error);
    }
    isReading = false;
    if (hasWork()) letIn(step);
  }

  return (after) =>
    new Promise((resolve, reject) => {
      asking.push({ after, resolve, reject });
      if (hasWork()) letIn(step);
    });
}

function newerThan(after: number, page: Page): Page {
  return { ...page, changes: page.changes.filter(({ revision }) => revision > after) };
}
