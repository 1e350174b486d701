import { writeFile } from 'node:fs/promises';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { videoFile } from '../../test/kit/video-file.ts';
import { CLIENT_CORE, portOf, startNode } from '../support/processes.ts';

export const VIDEO_BYTES = 5_000_000;

/** Below the client, whose core it shares and whose clock runs. */
const LOW_PRIORITY = 10;

/** The settings with which a gateway copies videos from a server in a process of its own, whatever their host. */
export async function startVideoServer(directory: string): Promise<Readonly<Record<string, string>>> {
  const path = join(directory, 'video.mp4');
  await writeFile(path, videoFile({ bytes: VIDEO_BYTES }));
  const child = startNode(['bench/dist/videos.js', path], { core: CLIENT_CORE });
  setPriority(child.pid, LOW_PRIORITY);
  const port = await portOf(child, 'the server of videos');
  // It ends with this process, and does not keep it.
  child.process.unref();
  child.process.channel?.unref();
  return { ARCHIVE: 'disk', HTTP_PROXY: `http://127.0.0.1:${port}`, NO_PROXY: '127.0.0.1' };
}
