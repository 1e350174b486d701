import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { PictureFile } from '../images/upload.ts';

/** The body of a request, as a stream of known length, and the headers that tell of it. */
export interface Multipart {
  readonly headers: { readonly 'content-type': string; readonly 'content-length': string };
  readonly body: Readable;
}

/**
 * Fields and then a file as multipart/form-data (RFC 7578); FormData would want the whole file, or a name for it. The
 * values are ours: they hold neither quotes nor line breaks. `onProgress` is called as it leaves.
 */
export function multipart(
  fields: Readonly<Record<'uploadPath' | 'fileName', string>>,
  file: PictureFile,
  onProgress: () => void,
): Multipart {
  const boundary = `kineograph-${randomUUID()}`;
  const begin = (disposition: string): string =>
    `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n`;
  const texts = Object.entries(fields).map(([name, value]) => `${begin(`name="${name}"`)}\r\n${value}\r\n`);
  const fileHead = `${begin(`name="file"; filename="${fields.fileName}"`)}Content-Type: ${file.contentType}\r\n\r\n`;
  const head = Buffer.from(texts.join('') + fileHead);
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': String(head.length + file.bytes + tail.length),
    },
    body: Readable.from(inARow(head, file, tail, onProgress)),
  };
}

/** Goes on whenever there is room for more, and says so. */
async function* inARow(
  head: Buffer,
  file: PictureFile,
  tail: Buffer,
  onProgress: () => void,
): AsyncGenerator<Buffer> {
  yield head;
  for await (const chunk of file.read()) {
    onProgress();
    yield chunk;
  }
  onProgress();
  yield tail;
}
