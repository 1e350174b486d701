import type { Page } from 'playwright-core';
import { expect } from 'vitest';

/** GraphiQL as somebody sees it. */
export interface GraphiqlUser {
  /** The names of the tabs, from left to right. */
  readonly tabs: () => Promise<readonly string[]>;
  readonly activeTab: () => Promise<string>;
  /** What stands in an editor, or in the answer: as far as it can be seen. */
  readonly read: (part: Part) => Promise<string>;
}

export type Part = 'operation' | 'variables' | 'answer';

const AREAS: Readonly<Record<Part, string>> = {
  operation: '.graphiql-query-editor',
  variables: '[aria-label="Variables"] .graphiql-editor:not(.hidden)',
  answer: '.graphiql-response',
};

const PATIENCE = { timeout: 60_000 };

/** Waits until the page is there. */
export async function useGraphiql(page: Page): Promise<GraphiqlUser> {
  const lines = (part: Part) => page.locator(`${AREAS[part]} .view-lines`);

  async function read(part: Part): Promise<string> {
    // The editor writes each space as one that does not break.
    return (await lines(part).innerText()).replaceAll('\u00a0', ' ');
  }

  await lines('operation').waitFor();
  await expect.poll(() => read('operation'), PATIENCE).not.toBe('');
  return {
    tabs: () => page.locator('[role=tab]').allInnerTexts(),
    activeTab: () => page.locator('[role=tab][aria-selected=true]').innerText(),
    read,
  };
}
