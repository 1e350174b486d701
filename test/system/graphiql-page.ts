import { expect } from 'vitest';
import type { Page } from 'playwright-core';

/** GraphiQL as somebody uses it who looks at it and has a keyboard. */
export interface GraphiqlUser {
  /** The names of the tabs, from left to right. */
  readonly tabs: () => Promise<readonly string[]>;
  readonly activeTab: () => Promise<string>;
  readonly openTab: (name: string) => Promise<void>;
  /** What stands in an editor, or in the answer: as far as it can be seen. */
  readonly read: (part: Part) => Promise<string>;
  /** Replaces all that stands in an editor. */
  readonly write: (part: Editor, text: string) => Promise<void>;
  /** Presses Ctrl-Enter in the editor of the operation. */
  readonly run: () => Promise<void>;
  /** Waits until the answer is like this; returns what the parentheses hold. */
  readonly answer: (pattern: RegExp) => Promise<string>;
}

export type Editor = 'operation' | 'variables' | 'headers';
export type Part = Editor | 'answer';

const AREAS: Readonly<Record<Part, string>> = {
  operation: '.graphiql-query-editor',
  variables: '[aria-label="Variables"] .graphiql-editor:not(.hidden)',
  headers: '[aria-label="Headers"] .graphiql-editor:not(.hidden)',
  answer: '.graphiql-response',
};

const PATIENCE = { timeout: 60_000 };

/** Waits until the page is there. */
export async function useGraphiql(page: Page): Promise<GraphiqlUser> {
  const lines = (part: Part) => page.locator(`${AREAS[part]} .view-lines`);
  const tabs = page.locator('[role=tab]');

  async function read(part: Part): Promise<string> {
    // The editor writes each space as one that does not break.
    return (await lines(part).innerText()).replaceAll('\u00a0', ' ');
  }

  async function focus(part: Editor): Promise<void> {
    const tool = page.locator(`.graphiql-editor-tools [data-name=${part}]`);
    if (part !== 'operation' && (await tool.and(page.locator('.active')).count()) === 0) await tool.click();
    await lines(part).click();
  }

  await lines('operation').waitFor();
  await expect.poll(() => read('operation'), PATIENCE).not.toBe('');
  return {
    tabs: () => tabs.allInnerTexts(),
    activeTab: () => page.locator('[role=tab][aria-selected=true]').innerText(),
    openTab: (name) => page.getByRole('tab', { name, exact: true }).click(),
    read,
    async write(part, text) {
      await focus(part);
      await page.keyboard.press('Control+A');
      // A bracket would be put around what is selected.
      await page.keyboard.press('Delete');
      await page.keyboard.insertText(text);
      // Brackets that the editor has closed by itself stand behind the cursor.
      await page.keyboard.press('Control+Shift+End');
      await page.keyboard.press('Delete');
      await expect.poll(async () => inOneLine(await read(part)), PATIENCE).toBe(inOneLine(text));
    },
    async run() {
      await focus('operation');
      await page.keyboard.press('Control+Enter');
    },
    async answer(pattern) {
      await expect.poll(() => read('answer'), PATIENCE).toMatch(pattern);
      return pattern.exec(await read('answer'))?.[1] ?? '';
    },
  };
}

function inOneLine(text: string): string {
  return text.replaceAll(/\s+/g, '');
}
