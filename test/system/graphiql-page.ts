import type { Page } from 'playwright-core';
import { expect } from 'vitest';

/** GraphiQL as somebody uses it. */
export interface GraphiqlUser {
  /** The names of the tabs, from left to right. */
  readonly tabs: () => Promise<readonly string[]>;
  readonly activeTab: () => Promise<string>;
  /** Opens the tab of an operation; waits until it stands in the editor. */
  readonly openTab: (name: string) => Promise<void>;
  /** The text of an editor, or the visible part of the answer. */
  readonly read: (part: Part) => Promise<string>;
  /**
   * Replaces all that stands in an editor, at once. Not key by key: how Monaco takes keys, closes brackets and offers to
   * complete words is not what is tested here.
   */
  readonly write: (part: keyof typeof MODELS, text: string) => Promise<void>;
  /** Presses the button that executes the operation. */
  readonly run: () => Promise<void>;
  /** Writes an operation and executes it at the same moment. */
  readonly writeAndRun: (operation: string) => Promise<void>;
  /** Waits until a subscription goes on. */
  readonly goesOn: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** Waits until the answer is like this; returns what the parentheses hold. */
  readonly answer: (pattern: RegExp) => Promise<string>;
}

export type Part = 'operation' | 'variables' | 'answer';

/** How GraphiQL names its texts. */
const MODELS = {
  operation: 'operation.graphql',
  variables: 'variables.json',
  headers: 'request-headers.json',
} as const;

/** On a busy machine the editor alone takes its time to load. */
export const PATIENCE = { timeout: 60_000 };

/** Waits until the page is there. */
export async function useGraphiql(page: Page): Promise<GraphiqlUser> {
  const answer = page.locator('.graphiql-response .view-lines');
  const execute = page.getByRole('button', { name: /^Execute query/ });
  const stop = page.getByRole('button', { name: /^Stop query/ });

  async function read(part: Part): Promise<string> {
    if (part !== 'answer') return String(await page.evaluate(`${modelOf(part)}.getValue()`));
    // The editor renders each space as a no-break space.
    return (await answer.innerText()).replaceAll('\u00a0', ' ');
  }

  await page.locator('.graphiql-query-editor .view-lines').waitFor();
  await expect.poll(() => read('operation'), PATIENCE).not.toBe('');
  return {
    tabs: () => page.locator('[role=tab]').allInnerTexts(),
    activeTab: () => page.locator('[role=tab][aria-selected=true]').innerText(),
    async openTab(name) {
      await page.getByRole('tab', { name, exact: true }).click();
      await expect.poll(() => read('operation'), PATIENCE).toMatch(new RegExp(`\\b${name}\\b`));
    },
    read,
    write: (part, text) => page.evaluate(writing(part, text)),
    run: () => execute.click(),
    writeAndRun: (operation) =>
      page.evaluate(
        `${writing('operation', operation)}; document.querySelector('.graphiql-execute-button').click()`,
      ),
    goesOn: () => stop.waitFor(),
    stop: () => stop.click(),
    async answer(pattern) {
      await expect.poll(() => read('answer'), PATIENCE).toMatch(pattern);
      return pattern.exec(await read('answer'))?.[1] ?? '';
    },
  };
}

function writing(part: keyof typeof MODELS, text: string): string {
  return `${modelOf(part)}.setValue(${JSON.stringify(text)})`;
}

function modelOf(part: keyof typeof MODELS): string {
  return `__MONACO.editor.getModels().find(({ uri }) => uri.path.endsWith('-${MODELS[part]}'))`;
}
