import { signOut } from './connection.ts';
import { authorization } from './credential.ts';

/** An image that was uploaded, as its bytes say, whatever its name says. */
export interface Uploaded {
  readonly url: string;
  readonly contentType: string;
  readonly bytes: number;
  readonly width: number;
  readonly height: number;
}

/** Why it was not: the gateway's code and sentence; both null when there was no answer. */
export class UploadFailed extends Error {
  override readonly name = 'UploadFailed';
  readonly code: string | null;
  readonly said: string | null;

  constructor(code: string | null, said: string | null) {
    super(said ?? 'the upload failed');
    this.code = code;
    this.said = said;
  }
}

/** Uploads an image; `onProgress` is told which part of it, from 0 to 1, has left. Rejects with UploadFailed. */
export function upload(
  file: Blob,
  onProgress: (part: number) => void,
  signal: AbortSignal,
): Promise<Uploaded> {
  // Not fetch: it tells nothing of how far it has come.
  const request = new XMLHttpRequest();
  return new Promise((resolve, reject) => {
    request.open('POST', '/uploads');
    request.setRequestHeader(
      'content-type',
      file.type.startsWith('image/') ? file.type : 'application/octet-stream',
    );
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => {
      onProgress(total === 0 ? 0 : loaded / total);
    };
    request.onerror = () => {
      reject(new UploadFailed(null, null));
    };
    request.onload = () => {
      if (request.status === 401) signOut(true);
      const body = parse(request.responseText);
      if (request.status < 300 && typeof body['url'] === 'string') resolve(body as unknown as Uploaded);
      else reject(new UploadFailed(textOf(body['code']), textOf(body['detail'])));
    };
    signal.addEventListener('abort', () => {
      request.abort();
    });
    request.send(file);
  });
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
