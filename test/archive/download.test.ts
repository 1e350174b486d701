import { createHash } from 'node:crypto';
import { mkdtemp, open, readFile, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { download, type DownloadOptions } from '../../src/archive/download.ts';
import { inspectVideo } from '../../src/archive/mp4.ts';
import { createResolver } from '../images/image-server.ts';
import { startProxy } from '../kit/http-proxy.ts';
import { deferred, onTestEnd, staysPending } from '../kit/waits.ts';
import {
  cutAfter,
  DAY_AGO,
  ETAG,
  OTHER,
  redirect,
  rest,
  serve,
  status,
  VIDEO,
  whole,
  writeHead,
  type Answer,
} from './video-server.ts';

async function openFile() {
  const directory = await mkdtemp(join(tmpdir(), 'kineograph-download-'));
  onTestEnd(() => rm(directory, { recursive: true }));
  const path = join(directory, 'video');
  const file = await open(path, 'w+');
  onTestEnd(() => file.close());
  return { file, contents: () => readFile(path) };
}

const OPTIONS: DownloadOptions = {
  allowedOrigins: () => [],
  proxyOf: () => null,
  userAgent: 'kineograph/test',
  maxBytes: 1_000_000,
  idleMs: 60_000,
  totalMs: 60_000,
  resumeMs: 0,
  signal: new AbortController().signal,
};

/** Downloads from a server whose own origin is allowed, and tells what the file has then. */
async function fetchFrom(
  { origin, url }: { readonly origin: string; readonly url: string },
  options: Partial<DownloadOptions> = {},
) {
  const { contents, file } = await openFile();
  const result = await download(url, file, { ...OPTIONS, allowedOrigins: () => [origin], ...options });
  return { result, file, contents: await contents() };
}

function received(video: Buffer) {
  return { kind: 'received', bytes: video.length, sha256: createHash('sha256').update(video).digest('hex') };
}

function failed(reason: string, more: object = {}) {
  return { kind: 'failed', reason: expect.stringContaining(reason) as string, status: null, ...more };
}

describe('a download', () => {
  it('is what the server sends, whatever the file had before', async () => {
    const server = await serve(whole());
    const { contents, file } = await openFile();
    await file.write(Buffer.alloc(400_000, 'old'));
    const result = await download(server.url, file, { ...OPTIONS, allowedOrigins: () => [server.origin] });
    expect(result).toEqual(received(VIDEO));
    expect(VIDEO.equals(await contents())).toBe(true);
    expect(server.asked[0]).toMatchObject({ 'user-agent': 'kineograph/test', 'accept-encoding': 'identity' });
  });

  it.each([
    ['at once', [0]],
    ['behind one byte', [1]],
    ['in the middle', [150_000]],
    ['before the last byte', [VIDEO.length - 1]],
    ['five times', [1, 100_000, 5, 50_000, 20]],
  ])('goes on where its transfer breaks: %s', async (_, cuts) => {
    const server = await serve(...cuts.map((bytes) => cutAfter(bytes)), rest());
    const { contents, result } = await fetchFrom(server);
    expect(result).toEqual(received(VIDEO));
    expect(VIDEO.equals(contents)).toBe(true);
    let at = 0;
    const ranges = cuts.map((bytes) => ((at += bytes) === 0 ? undefined : `bytes=${at}-`));
    expect(server.asked.map(({ range }) => range)).toEqual([undefined, ...ranges]);
    for (const { 'if-range': condition, range } of server.asked)
      expect(condition).toBe(range === undefined ? undefined : ETAG);
  });

  it('goes on by the date of change if that is all that the server tells', async () => {
    const server = await serve(cutAfter(1000, DAY_AGO), rest(DAY_AGO));
    expect((await fetchFrom(server)).result).toEqual(received(VIDEO));
    expect(server.asked[1]).toMatchObject({ range: 'bytes=1000-', 'if-range': DAY_AGO['last-modified'] });
  });

  const CANNOT_GO_ON: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ['no validator', {}],
    ['a weak entity tag', { etag: 'W/"one"', ...DAY_AGO }],
    ['a change in this second', { 'last-modified': new Date(Date.now() + 3_600_000).toUTCString() }],
  ];
  it.each(CANNOT_GO_ON)(
    'starts over if nothing proves that the bytes are the same: %s',
    async (_, headers) => {
      const server = await serve(cutAfter(1000, headers), whole(OTHER, headers));
      const { contents, result } = await fetchFrom(server);
      expect(result).toEqual(received(OTHER));
      expect(OTHER.equals(contents)).toBe(true);
      expect(server.asked[1]).not.toHaveProperty('range');
    },
  );

  const REPLACED: Readonly<Record<string, readonly Answer[]>> = {
    'a server without ranges': [whole(OTHER)],
    'another entity tag': [whole(OTHER, { etag: '"two"' })],
    'a part with another entity tag': [rest({ etag: '"two"' }), whole(OTHER)],
    'a part of a video of another size': [
      status(206, { etag: ETAG, 'content-range': 'bytes 1000-1001/1002' }),
      whole(OTHER),
    ],
    'another part': [
      (response) => {
        const headers = { etag: ETAG, 'content-range': 'bytes 2000-299999/300000' };
        response.writeHead(206, headers).end(VIDEO.subarray(1000));
      },
      whole(OTHER),
    ],
    'a part without a range': [status(206, { etag: ETAG }), whole(OTHER)],
    'a shorter video': [status(416), whole(OTHER)],
  };
  it.each(Object.entries(REPLACED))('never joins parts of two versions: %s', async (_, answers) => {
    const server = await serve(cutAfter(1000), ...answers);
    const { contents, result } = await fetchFrom(server);
    expect(result).toEqual(received(OTHER));
    expect(OTHER.equals(contents)).toBe(true);
  });

  it('goes on after an error of the server that passes, and not after its refusal', async () => {
    const busy = await serve(cutAfter(1000), status(503), status(429), rest());
    expect((await fetchFrom(busy)).result).toEqual(received(VIDEO));
    const gone = await serve(cutAfter(1000), status(404), rest());
    expect((await fetchFrom(gone)).result).toEqual(failed('HTTP 404', { status: 404 }));
  });

  it('goes on after a stall', async () => {
    const stall: Answer = (response) => {
      writeHead(response, 0, { etag: ETAG });
      response.write(VIDEO.subarray(0, 1000));
    };
    const server = await serve(stall, rest());
    expect((await fetchFrom(server, { idleMs: 500 })).result).toEqual(received(VIDEO));
    expect(server.asked[1]).toMatchObject({ range: 'bytes=1000-' });
  });

  it('goes on after a part that is complete and not all of the rest', async () => {
    const part: Answer = (response) => {
      const headers = { etag: ETAG, 'content-range': 'bytes 1000-1999/300000' };
      response.writeHead(206, headers).end(VIDEO.subarray(1000, 2000));
    };
    const server = await serve(cutAfter(1000), part, rest());
    expect((await fetchFrom(server)).result).toEqual(received(VIDEO));
  });

  it('goes on if a body of unknown length is cut', async () => {
    const cut: Answer = (response) => {
      response.writeHead(200, { etag: ETAG });
      response.write(VIDEO.subarray(0, 1000), () => response.socket?.end());
    };
    const server = await serve(cut, rest());
    expect((await fetchFrom(server)).result).toEqual(received(VIDEO));
  });

  it('may take longer than a pause of its server may', async () => {
    const PARTS = 8;
    const slowly: Answer = (response) => {
      writeHead(response, 0, {});
      const size = VIDEO.length / PARTS;
      let sent = 0;
      const timer = setInterval(() => {
        response.write(VIDEO.subarray(sent, (sent += size)));
        if (sent >= VIDEO.length) clearInterval(timer);
      }, 300);
      response.on('close', () => {
        clearInterval(timer);
      });
    };
    const server = await serve(slowly);
    expect((await fetchFrom(server, { idleMs: 2_000 })).result).toEqual(received(VIDEO));
    expect(server.asked).toHaveLength(1);
  });

  it('takes a body of unknown length to its end', async () => {
    const server = await serve((response) => response.writeHead(200).end(VIDEO));
    expect((await fetchFrom(server)).result).toEqual(received(VIDEO));
  });

  it('follows three redirects, and asks for the rest where the first URL leads then', async () => {
    const server = await serve(
      redirect('/2'),
      status(307, { location: 'video3.mp4?a=b' }),
      redirect('/4'),
      cutAfter(1000),
      rest(),
    );
    expect((await fetchFrom(server)).result).toEqual(received(VIDEO));
    expect(server.asked).toHaveLength(5);
  });

  it('goes through the proxy of its origin', async () => {
    const server = await serve(whole());
    const proxy = await startProxy();
    const proxyOf = (origin: string) => (origin === server.origin ? proxy.url : null);
    expect((await fetchFrom(server, { proxyOf })).result).toEqual(received(VIDEO));
    expect(proxy.asked.map(({ target }) => target)).toEqual([new URL(server.origin).host]);
  });
});

/** What ends a download, and how. */
const FAILURES: Readonly<Record<string, readonly [Answer, object, Partial<DownloadOptions>?]>> = {
  'HTTP 404': [status(404), failed('its server responded with HTTP 404', { status: 404 })],
  'HTTP 500 at first': [status(500), failed('HTTP 500', { status: 500 })],
  'a part that nobody asked for': [
    status(206, { 'content-range': 'bytes 0-1/2' }),
    failed('HTTP 206', { status: 206 }),
  ],
  'a compressed body': [whole(VIDEO, { 'content-encoding': 'gzip' }), failed('compresses', { status: 200 })],
  'an end that never comes closer': [cutAfter(0), failed('broke 6 times; 0 of 300000 bytes')],
  'a length beyond what there is': [
    whole(VIDEO, { 'content-length': '400000', connection: 'close' }),
    failed('broke 6 times; 300000 of 400000 bytes'),
  ],
  'six cuts': [cutAfter(10), failed('the transfer broke 6 times; 60 of 300000 bytes had arrived')],
  'a length below the limit, and more bytes than that': [
    (response) => {
      response.writeHead(200).end(VIDEO);
    },
    failed('larger than 200000 bytes', { isTooLarge: true }),
    { maxBytes: 200_000 },
  ],
  'a body without end': [
    (response) => {
      const more = (): void => {
        response.write(OTHER, (error) => {
          if (!error) more();
        });
      };
      more();
    },
    failed('larger than', { isTooLarge: true }),
  ],
  'no response': [() => undefined, failed('its server sent nothing for 0.2 seconds'), { idleMs: 200 }],
  'a drip': [
    (response) => {
      writeHead(response, 0, {});
      const timer = setInterval(() => response.write('.'), 10);
      response.on('close', () => {
        clearInterval(timer);
      });
    },
    failed('it took more than 0.5 seconds'),
    { totalMs: 500 },
  ],
  'a redirect to a private address': [redirect('http://10.0.0.1/'), failed('not public')],
  'a redirect to the metadata of a cloud': [redirect('http://169.254.169.254/'), failed('not public')],
  'a redirect to a file': [redirect('file:///etc/passwd'), failed('the redirect is no http(s) URL')],
  'a redirect with a password': [redirect('http://a:b@example.com'), failed('a user or a password')],
  'a redirect to nowhere': [status(302), failed('the redirect is no http(s) URL')],
  'a private address behind a proxy': [
    redirect('http://[::1]/'),
    failed('its address is not public'),
    { proxyOf: (origin) => (origin === 'http://[::1]' ? 'http://127.0.0.1:9' : null) },
  ],
};

describe('a download fails', () => {
  it.each(Object.entries(FAILURES))('with the reason: %s', async (_, [answer, expected, options]) => {
    expect((await fetchFrom(await serve(answer), options)).result).toEqual(expected);
  });

  it('if more bytes come than the server announced for the whole', async () => {
    const more: Answer = (response) => {
      const headers = { etag: ETAG, 'content-range': `bytes 1000-299999/300000` };
      response.writeHead(206, headers).end(VIDEO);
    };
    const { result } = await fetchFrom(await serve(cutAfter(1000), more));
    expect(result).toEqual(failed('announced 300000 bytes and sends more'));
  });

  it('before the first byte if the length is beyond the limit', async () => {
    const { contents, result } = await fetchFrom(await serve(whole()), { maxBytes: VIDEO.length - 1 });
    expect(result).toEqual(failed('larger than 299999 bytes', { isTooLarge: true }));
    expect(contents).toHaveLength(0);
    expect((await fetchFrom(await serve(whole()), { maxBytes: VIDEO.length })).result.kind).toBe('received');
  });

  it('in a loop of redirects', async () => {
    const server = await serve(redirect('/video.mp4'));
    expect((await fetchFrom(server)).result).toEqual(failed('redirects more than 3 times'));
    expect(server.asked).toHaveLength(4);
  });

  it('at another port of an allowed host, and sends nothing there', async () => {
    const other = await serve(whole());
    const server = await serve(redirect(other.url));
    expect((await fetchFrom(server)).result).toEqual(failed('not public'));
    expect(other.asked).toEqual([]);
  });

  it('at a name with a private address, also if it had a public one before', async () => {
    // 127.0.0.1 stands for the internet.
    const server = await serve(cutAfter(1000), rest());
    const { lookup } = createResolver({ 'videos.example': [['127.0.0.1'], ['127.0.0.1', '10.0.0.1']] });
    const isAllowed = (address: string): boolean => address === '127.0.0.1';
    const url = server.url.replace('127.0.0.1', 'videos.example');
    const { result } = await fetchFrom({ origin: 'http://none.example', url }, { lookup, isAllowed });
    expect(result).toEqual(failed('the transfer broke 6 times'));
    expect(server.asked).toHaveLength(1);
  });

  it('when it is stopped, at once', async () => {
    const arrived = deferred('the first byte was sent');
    const server = await serve((response) => {
      writeHead(response, 0, {});
      response.write('.', () => {
        arrived.resolve();
      });
    });
    const stopping = new AbortController();
    const download = fetchFrom(server, { signal: stopping.signal });
    await arrived.promise;
    await staysPending(download);
    stopping.abort();
    expect((await download).result).toEqual(failed('stopped'));
    expect((await fetchFrom(server, { signal: stopping.signal })).result).toEqual(failed('stopped'));
    expect(server.asked).toHaveLength(1);
  });

  it('with the error of its file', async () => {
    const server = await serve(whole());
    const full = () => Promise.reject(new Error('ENOSPC: no space left on device, write'));
    const file = { write: full, truncate: () => Promise.resolve() } as unknown as FileHandle;
    const options = { ...OPTIONS, allowedOrigins: () => [server.origin] };
    await expect(download(server.url, file, options)).rejects.toThrow('ENOSPC');
  });
});

describe('what is received from a server', () => {
  const NO_VIDEO: Readonly<Record<string, Answer>> = {
    'that announces less than there is': whole(VIDEO, { 'content-length': '200000' }),
    'that serves HTML': (response) => response.writeHead(200).end('<!doctype html><title>Gone</title>'),
    'that serves nothing': (response) => response.writeHead(200).end(),
    'that ends early without having announced a length': (response) => {
      response.writeHead(200).end(VIDEO.subarray(0, 200_000));
    },
  };
  it.each(Object.entries(NO_VIDEO))('is no video if it is from a server %s', async (_, answer) => {
    const { file, result } = await fetchFrom(await serve(answer));
    expect(result.kind).toBe('received');
    const bytes = result.kind === 'received' ? result.bytes : 0;
    expect(await inspectVideo(file, bytes)).toHaveProperty('reason');
  });
});
