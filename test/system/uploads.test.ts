import { request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { temporaryDir } from '../kit/gateway.ts';
import { pngOf, withChunk } from '../kit/images.ts';
import { startBuilt, startBuiltSandbox } from '../kit/process.ts';

const AT_ONCE = 50;
const TEN_MB = 10 * 1024 * 1024;
/** Most of it is garbage that V8 has not looked at yet, which newer ones do later: twice as many images cost no more. */
const MAX_GROWTH_MB = Number(process.versions.node.split('.')[0]) < 22 ? 100 : 150;

/** A line of what the kernel tells of a process, in KB. */
async function memoryOf(pid: number, name: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]);
}

/** From now on the kernel counts the peak of a process's memory anew (proc(5), clear_refs). */
async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5');
}

/** Sends an image in parts, none of which is copied. */
async function upload(url: string, parts: readonly Buffer[]): Promise<Readonly<Record<string, unknown>>> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const headers = { 'content-type': 'image/png', 'content-length': length };
  const outgoing = request(`${url}/uploads`, { method: 'POST', headers, agent: false });
  for (const part of parts) outgoing.write(part);
  outgoing.end();
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { status: answer.statusCode, ...(JSON.parse(await text(answer)) as object) };
}

test(`fifty images of 10 MB at once cost less than ${MAX_GROWTH_MB} MB of memory, and no file is left over`, async () => {
  const sandbox = await startBuiltSandbox();
  const TMPDIR = await temporaryDir();
  const gateway = await startBuilt({
    DATA_DIR: await temporaryDir(),
    KIE_API_KEY: 'any',
    KIE_API_URL: sandbox.url,
    TMPDIR,
  });
  const small = await pngOf(1_000_000);
  expect(await upload(gateway.url, [small])).toMatchObject({ status: 201 });

  const header = small.subarray(0, 33);
  const mark = 16;
  const rest = (await pngOf(TEN_MB - mark)).subarray(33);
  // Each with a small part of its own behind the header, so that no two are the same.
  const images = Array.from({ length: AT_ONCE }, (_, index) => {
    const marked = withChunk(header, 'kiNo', Buffer.from(String(index).padStart(4)));
    return [marked.subarray(0, 33 + mark), rest];
  });

  await forgetPeak(gateway.pid);
  const before = await memoryOf(gateway.pid, 'VmRSS');
  const answers = await Promise.all(images.map((parts) => upload(gateway.url, parts)));
  const growthKb = (await memoryOf(gateway.pid, 'VmHWM')) - before;
  expect(answers.map(({ bytes, status }) => [status, bytes])).toEqual(
    Array.from({ length: AT_ONCE }, () => [201, TEN_MB]),
  );
  expect(new Set(answers.map(({ url }) => url)).size).toBe(AT_ONCE);
  expect(growthKb / 1024).toBeLessThan(MAX_GROWTH_MB);

  const served = await fetch(String(answers.at(-1)?.['url']));
  expect((await served.arrayBuffer()).byteLength).toBe(TEN_MB);
  expect(await readdir(TMPDIR)).toEqual([]);
});
