import { createSocket } from 'node:dgram';
import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, test } from 'vitest';
import { createInspectImage } from '../../src/images/inspect.ts';
import { createSafeLookup, isPublicAddress } from '../../src/images/safe-fetch.ts';
import { DEFAULT_MODEL } from '../../src/models/index.ts';
import { deferred, named, onTestEnd } from '../kit/waits.ts';
import { animation, flat, imageBytes, pngOf } from '../kit/images.ts';
import { upload } from '../store/records.ts';
import { createResolver, startImageServer, type ImageServer } from './image-server.ts';

const MB = 1024 * 1024;

const CONDITIONS = {
  uploads: {
    uploadAt: (url: string) => Promise.resolve(url.includes('uploaded') ? upload() : null),
  },
  userAgent: 'kineograph/test',
  now: Date.now,
  // This address stands for the internet.
  isAllowed: (address: string) => address === '127.0.0.1',
};
const inspect = createInspectImage({ ...CONDITIONS, timeoutMs: 30_000 });
const inspectHastily = createInspectImage({ ...CONDITIONS, timeoutMs: 1000 });

/** Checks an image while the process is not stopping. */
const look = (owner: string, url: string, by = inspect): ReturnType<typeof inspect> =>
  by(owner, url, DEFAULT_MODEL.image, { stopping: new AbortController().signal, mayFetch: true });

/** The issue of an image that a server sends, and the server. */
async function lookAt(
  answer: RequestListener,
  by = inspect,
): Promise<{ readonly code: string | null; readonly message: string; readonly server: ImageServer }> {
  const server = await startImageServer(answer);
  const issue = await look('ada', `http://127.0.0.1:${server.port}/image`, by);
  return { code: issue?.code ?? null, message: issue?.message ?? '', server };
}

describe('an image behind a URL', () => {
  it.each(['jpeg', 'png', 'webp'] as const)(
    'has no issue when it is a %s that the model takes',
    async (format) => {
      const bytes = await imageBytes(format);
      const { code, server } = await lookAt((_request, response) => response.end(bytes));
      expect(code).toBe(null);
      expect(server.asked).toMatchObject([{ accept: 'image/*', 'user-agent': 'kineograph/test' }]);
    },
  );

  it('has the issue that an upload would have, whether its size is declared or not', async () => {
    for (const [code, make] of [
      ['IMAGE_TYPE', () => flat('gif')],
      ['IMAGE_BROKEN', () => Buffer.alloc(0)],
      ['IMAGE_BROKEN', async () => (await imageBytes()).subarray(0, 30)],
      ['IMAGE_ANIMATED', () => animation('webp')],
      ['IMAGE_TOO_SMALL', () => imageBytes('png', { width: 300, height: 300 })],
      ['IMAGE_TOO_LARGE', () => pngOf(10 * MB + 1)],
    ] as const) {
      const bytes = await make();
      for (const headers of [{ 'content-length': bytes.length }, {}])
        expect((await lookAt((_, response) => response.writeHead(200, headers).end(bytes))).code).toBe(code);
    }
  });

  it('is unreachable behind any other status than 200', async () => {
    for (const status of [204, 206, 304, 401, 403, 404, 500]) {
      const { code, message } = await lookAt((_request, response) => response.writeHead(status).end());
      expect([code, message]).toEqual(['IMAGE_UNREACHABLE', expect.stringContaining(String(status))]);
    }
  });

  it.each<[string, RequestListener]>([
    ['does not answer', () => undefined],
    [
      'sends nothing after its headers',
      (_request, response) => {
        response.flushHeaders();
      },
    ],
    [
      'stops within the header of the image',
      (_request, response) => response.write(Buffer.from('\x89PNG', 'latin1')),
    ],
  ])('is unreachable when its server %s', async (_, answer) => {
    const { code, message } = await lookAt(answer, inspectHastily);
    expect(code).toBe('IMAGE_UNREACHABLE');
    expect(message).toContain('too long');
  });

  it('is unreachable when its server cuts the connection, or nobody listens', async () => {
    const { code, server } = await lookAt((request) => request.socket.resetAndDestroy());
    expect(code).toBe('IMAGE_UNREACHABLE');
    expect(server.connections()).toBe(1);
    expect(await look('ada', 'http://127.0.0.1:1/')).toMatchObject({ code: 'IMAGE_UNREACHABLE' });
  });

  it('has no issue when its header is fine and the rest does not arrive in time', async () => {
    const bytes = await imageBytes();
    const begin: RequestListener = (_request, response) => response.write(bytes.subarray(0, 20_000));
    const { code } = await lookAt(begin, inspectHastily);
    expect(code).toBe(null);
  });
});

test('only the header is fetched of an image with a declared size', async () => {
  const bytes = await pngOf(9 * MB);
  // Its header and the beginning of its pixels, and no end.
  const start = Buffer.concat([bytes.subarray(0, 33), (await imageBytes()).subarray(33, 20_000)]);
  const closed = deferred();
  const { code } = await lookAt((_request, response) => {
    response.once('close', closed.resolve);
    response.writeHead(200, { 'content-length': bytes.length }).write(start);
  });
  expect(code).toBe(null);
  await named('the end of the connection', closed.promise);
});

test('an endless body is aborted after 10 MB', async () => {
  const jpeg = await imageBytes('jpeg');
  const closed = deferred();
  const { code } = await lookAt((_request, response) => {
    response.once('close', closed.resolve);
    response.write(jpeg.subarray(0, -2));
    // Over a connection that was cut each write fails at once, before anybody can hear of its end.
    const more = (error?: Error | null): void => {
      if (error || response.destroyed) return;
      response.write(Buffer.alloc(256 * 1024, 1), more);
    };
    more();
  });
  expect(code).toBe('IMAGE_TOO_LARGE');
  await named('the end of the connection', closed.promise);
});

test('an image with a content encoding that we did not ask for is left to the provider', async () => {
  const bytes = gzipSync(await imageBytes());
  const { code } = await lookAt((_request, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(bytes),
  );
  expect(code).toBe(null);
});

test('each owner may have sixteen images checked at a time', async () => {
  const bytes = await imageBytes();
  const gate = deferred();
  const server = await startImageServer((_request, response) => {
    gate.promise.then(
      () => response.end(bytes),
      () => undefined,
    );
  });
  const url = `http://127.0.0.1:${server.port}/`;
  const adas = Array.from({ length: 16 }, () => look('ada', url));
  const bens = look('ben', url);
  await expect(look('ada', url)).rejects.toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }) as Error);
  gate.resolve();
  expect(await Promise.all([...adas, bens])).toEqual(Array.from({ length: 17 }, () => null));
  expect(await look('ada', url)).toBe(null);
});

test('an image that was uploaded here is not fetched', async () => {
  const server = await startImageServer((_request, response) => response.end());
  expect(await look('ada', `http://127.0.0.1:${server.port}/uploaded.png`)).toBe(null);
  expect(server.connections()).toBe(0);
});

/** The first address stands for the internet, the second one for the network of the gateway. */
const OUTSIDE = '127.0.0.1';
const INSIDE = '127.0.0.2';

type Names = Parameters<typeof createResolver>[0];

/** Checks a URL with the gateway's own rule for addresses, or with another one. */
async function inspectAt(
  url: string,
  names: Names = {},
  isAllowed: (address: string) => boolean = isPublicAddress,
): Promise<{ readonly code: string | null; readonly message: string; readonly lookups: string[] }> {
  const { asked, lookup } = createResolver(names);
  const look = createInspectImage({
    uploads: { uploadAt: () => Promise.resolve(null) },
    userAgent: 'test',
    now: Date.now,
    lookup,
    isAllowed,
  });
  const issue = await look('ada', url, DEFAULT_MODEL.image, {
    stopping: new AbortController().signal,
    mayFetch: true,
  });
  return { code: issue?.code ?? null, message: issue?.message ?? '', lookups: asked };
}

const isOutside = (address: string): boolean => address === OUTSIDE || isPublicAddress(address);

test('an image at a private address is not fetched, however the address is spelt or found', async () => {
  const bytes = await imageBytes();
  const server = await startImageServer((_request, response) => response.end(bytes));
  const urls = [
    ...[
      '127.0.0.1',
      '127.1',
      '127.0.1',
      '2130706433',
      '0x7f000001',
      '0x7f.0.0.0x1',
      '0177.0.0.1',
      '017700000001',
    ],
    ...[
      '0',
      '0.0.0.0',
      '127.0.0.1.',
      '%31%32%37.0.0.1',
      '①②⑦.⓪.⓪.①',
      '127。0。0。1',
      '[::1]',
      '[0:0:0:0:0:0:0:1]',
    ],
    ...['[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::127.0.0.1]', '[64:ff9b::7f00:1]'],
  ].map((host) => `http://${host}:${server.port}/`);
  for (const url of [...urls, `https://127.0.0.1:${server.port}/`])
    expect([url, (await inspectAt(url)).code]).toEqual([url, 'IMAGE_UNREACHABLE']);
  for (const name of ['localhost', 'LOCALHOST', 'localhost.', 'a.localhost']) {
    const found = await inspectAt(`http://${name}:${server.port}/`, {
      [name.toLowerCase()]: [['127.0.0.1']],
    });
    expect(found).toMatchObject({ code: 'IMAGE_UNREACHABLE', lookups: [name.toLowerCase()] });
  }
  const absent = await inspectAt(`http://absent.example:${server.port}/`);
  for (const addresses of [
    ['127.0.0.1'],
    ['::1'],
    ['::ffff:127.0.0.1'],
    ['169.254.169.254'],
    ['fd00:ec2::254'],
    // One public address does not make the others so.
    ['93.184.216.34', '127.0.0.1'],
    ['127.0.0.1', '93.184.216.34'],
    [],
  ]) {
    const found = await inspectAt(`http://images.example:${server.port}/`, { 'images.example': [addresses] });
    // The answer is the same as for a name that does not exist.
    expect(found).toMatchObject({ code: 'IMAGE_UNREACHABLE', message: absent.message });
  }
  expect(server.connections()).toBe(0);
});

describe('redirects', () => {
  async function redirecting(location: string, port: number, status = 302): Promise<string> {
    const server = await startImageServer((_request, response) =>
      response.writeHead(status, { location: location.replace('PORT', String(port)) }).end(),
    );
    return `http://${OUTSIDE}:${server.port}/image.png`;
  }

  it('lead nowhere where an address does not lead either', async () => {
    const bytes = await imageBytes();
    const inside = await startImageServer((_request, response) => response.end(bytes), INSIDE);
    const locations = [
      ...[
        'http://127.0.0.2:PORT/',
        'http://2130706434:PORT/',
        'http://[::ffff:127.0.0.2]:PORT/',
        'http://inside.example:PORT/',
      ],
      ...['//127.0.0.2:PORT/', '//user:password@127.0.0.2:PORT/', 'file:///etc/passwd', 'ftp://127.0.0.2/'],
      ...['data:image/png;base64,AAAA', 'http://', ''],
    ];
    for (const location of locations) {
      const url = await redirecting(location, inside.port);
      const found = await inspectAt(url, { 'inside.example': [[INSIDE]] }, isOutside);
      expect([location, found.code]).toEqual([location, 'IMAGE_UNREACHABLE']);
    }
    expect(inside.connections()).toBe(0);
  });

  it('are followed to another public address', async () => {
    const bytes = await imageBytes();
    const last = await startImageServer((_request, response) => response.end(bytes));
    for (const status of [301, 302, 303, 307, 308]) {
      const url = await redirecting('http://other.example:PORT/', last.port, status);
      expect((await inspectAt(url, { 'other.example': [[OUTSIDE]] }, isOutside)).code).toBe(null);
    }
    expect(last.connections()).toBe(5);
  });

  it('are followed three times and not a fourth time', async () => {
    const bytes = await imageBytes();
    const { port } = await startImageServer(({ url = '' }, response) => {
      const left = Number(url.slice(1));
      if (left === 0) response.end(bytes);
      else response.writeHead(302, { location: `/${left - 1}` }).end();
    });
    expect((await inspectAt(`http://${OUTSIDE}:${port}/3`, {}, isOutside)).code).toBe(null);
    expect(await inspectAt(`http://${OUTSIDE}:${port}/4`, {}, isOutside)).toMatchObject({
      code: 'IMAGE_UNREACHABLE',
      message: expect.stringContaining('302') as string,
    });
  });
});

describe('a name whose address changes', () => {
  it('is connected to at the address that was judged, not at that of a second lookup', async () => {
    const bytes = await imageBytes();
    const outside = await startImageServer((_request, response) => response.end(bytes));
    const names = { 'moving.example': [[OUTSIDE], [INSIDE]] };
    const found = await inspectAt(`http://moving.example:${outside.port}/`, names, isOutside);
    expect(found).toMatchObject({ code: null, lookups: ['moving.example'] });
    expect(outside.connections()).toBe(1);
  });

  it('is judged anew when a redirect leads back to it', async () => {
    const inside = await startImageServer((_request, response) => response.end('secret'), INSIDE);
    const outside = await startImageServer((_request, response) =>
      response.writeHead(302, { location: `http://moving.example:${inside.port}/` }).end(),
    );
    const names = { 'moving.example': [[OUTSIDE], [INSIDE]] };
    const found = await inspectAt(`http://moving.example:${outside.port}/`, names, isOutside);
    expect(found).toMatchObject({ code: 'IMAGE_UNREACHABLE', lookups: ['moving.example', 'moving.example'] });
    expect(inside.connections()).toBe(0);
  });
});

const PUBLIC = [
  ...['1.1.1.1', '8.8.8.8', '93.184.216.34', '172.15.255.255', '172.32.0.1', '192.167.1.1'],
  ...['2606:4700:4700::1111', '2a00:1450:4001:82f::200e'],
];
const PRIVATE = [
  ...['0.0.0.0', '0.1.2.3', '10.0.0.1', '100.64.0.1', '127.0.0.1', '127.255.255.254', '168.63.129.16'],
  ...[
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.1.1',
  ],
  ...['198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'],
  ...['::', '::1', '::7f00:1', '::127.0.0.1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:169.254.169.254'],
  ...['::ffff:168.63.129.16', '::ffff:0:127.0.0.1', '64:ff9b::7f00:1', '64:ff9b:1::1', '100::1', '2001::1'],
  ...['2001:db8::1', '2002:7f00:1::', '3fff::1', '5f00::1', '8000::1', 'fc00::1', 'fd00:ec2::254', 'fe80::1'],
  ...['fe80::1%eth0', 'fec0::1', 'ff02::1', 'localhost', '', '127.1'],
];

test('an address is public unless it is private, special or no address at all', () => {
  expect(PUBLIC.filter((address) => !isPublicAddress(address))).toEqual([]);
  expect(PRIVATE.filter(isPublicAddress)).toEqual([]);
});

const ANSWERS: Readonly<Record<number, Buffer>> = {
  1: Buffer.from([93, 184, 216, 34]),
  28: Buffer.from('26062800022000010248189325c81946', 'hex'),
};

/** A name server that knows every name but those that begin with "no" (RFC 1035, 4). Returns its address. */
async function startNameServer(): Promise<string> {
  const socket = createSocket('udp4');
  onTestEnd(() => void socket.close());
  socket.on('message', (question, { address, port }) => {
    const type = question.readUInt16BE(question.indexOf(0, 12) + 1);
    const data = question.toString('latin1', 13, 15) === 'no' ? undefined : ANSWERS[type];
    const header = Buffer.from(question.subarray(0, 12));
    header.writeUInt16BE(data ? 0x8180 : 0x8183, 2);
    header.writeUInt16BE(data ? 1 : 0, 6);
    header.writeUInt16BE(0, 10);
    const asked = question.subarray(12, question.indexOf(0, 12) + 5);
    const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, data?.length ?? 0]);
    socket.send(Buffer.concat(data ? [header, asked, record, data] : [header, asked]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return `127.0.0.1:${socket.address().port}`;
}

function lookUp(server: string, name: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    createSafeLookup([server])(name, { all: true }, (error, addresses) => {
      if (error) reject(error);
      else resolve(addresses as unknown as readonly LookupAddress[]);
    });
  });
}

test('a lookup returns the IPv4 and IPv6 addresses of a name, and fails for a name that does not exist', async () => {
  const server = await startNameServer();
  expect(await lookUp(server, 'images.example')).toEqual([
    { address: '93.184.216.34', family: 4 },
    { address: '2606:2800:220:1:248:1893:25c8:1946', family: 6 },
  ]);
  await expect(lookUp(server, 'none.example')).rejects.toThrow('ENOTFOUND');
});
