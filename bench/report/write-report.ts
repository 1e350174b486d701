import { writeFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';

/** Formatted as the project's own check wants it. */
export async function writeReport(path: string, markdown: string): Promise<void> {
  await writeFile(path, await format(markdown, { ...(await resolveConfig(path)), filepath: path }));
}
