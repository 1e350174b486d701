import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** A path, or the nearest one above it that is there. Rejects when something cannot be looked at. */
export async function nearestPath(path: string): Promise<string> {
  let nearest = resolve(path);
  while (!(await isThere(nearest))) nearest = dirname(nearest);
  return nearest;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
