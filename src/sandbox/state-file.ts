import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Log } from './log.ts';

const entrySchema = z.strictObject({
  taskId: z.string(),
  /** The create request as JSON, as recordInfo echoes it. */
  param: z.string(),
  /** Its price has been taken off the balance. */
  settled: z.boolean(),
  /** Where the end of the task has yet to be told; null: nowhere, or it is done with. */
  callBackUrl: z.string().nullable(),
});

const stateSchema = z.strictObject({ credits: z.number(), tasks: z.array(entrySchema) });

/** A task that is remembered for what its id does not say. */
export type TaskEntry = Readonly<z.infer<typeof entrySchema>>;

/** All that the sandbox keeps on disk. */
export interface SandboxState {
  readonly credits: number;
  readonly tasks: readonly TaskEntry[];
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/**
 * What the file holds, or null when there is none. A file that cannot be understood is renamed, logged and
 * counts as none. Rejects when the file exists and cannot be read or renamed.
 */
export async function loadState(file: string, log: Log): Promise<SandboxState | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch (error) {
    const aside = `${file}.broken-${Date.now()}`;
    await rename(file, aside);
    log(`The sandbox starts anew: its state file is broken and was set aside as ${aside}`, { error });
    return null;
  }
}

/** Replaces the file in one step: whoever dies on the way leaves the old content or the new, never half of it. */
export async function saveState(file: string, state: SandboxState): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const fresh = `${file}.new`;
  // Only for its owner: callback addresses may carry secrets.
  const handle = await open(fresh, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify(state));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(fresh, file);
}
