import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** kie.ai docs: "File Upload API", the newest copies; older ones say three days. */
const KEPT_MS = 24 * 3_600_000;

/** Creates the directory for this user alone, and deletes expired files in it. */
export async function prepareUploads(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !(await isKept(path))) await rm(path, { force: true });
  }
}

/** Moves a file to its name below `dir`; one that has that name already is replaced. */
export async function keepUpload(dir: string, file: string, name: string): Promise<void> {
  const target = join(dir, name);
  await mkdir(dirname(target), { recursive: true });
  await rename(file, target);
}

/** Whether a file is there and young enough to be served. */
export async function isKept(path: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(path);
    return mtimeMs > Date.now() - KEPT_MS;
  } catch {
    return false;
  }
}

/** Whether a path stays below where it begins: plain names, none of which begins with a dot. */
export function isPlainPath(path: string): boolean {
  return /^[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/.test(path);
}
