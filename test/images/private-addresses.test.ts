import { beforeEach, describe, expect, it } from 'vitest';
import { createInspectImage } from '../../src/images/inspect.ts';
import { isPublicAddress } from '../../src/images/safe-fetch.ts';
import type { ImageIssueCode } from '../../src/tasks/validate-input.ts';
import { imageBytes } from '../kit/images.ts';
import { createResolver, startImageServer, type ImageServer } from './image-server.ts';

/** The first address stands for the internet, the second one for the network of the gateway. */
const OUTSIDE = '127.0.0.1';
const INSIDE = '127.0.0.2';

type Names = Parameters<typeof createResolver>[0];

/** Checks a URL with the gateway's own rule for addresses, or with another one. */
async function inspect(
  url: string,
  names: Names = {},
  isAllowed: (address: string) => boolean = isPublicAddress,
): Promise<{ readonly code: ImageIssueCode | null; readonly message: string; readonly lookups: string[] }> {
  const { asked, lookup } = createResolver(names);
  const look = createInspectImage({
    uploads: { isUploaded: () => Promise.resolve(false) },
    userAgent: 'test',
    now: Date.now,
    lookup,
    isAllowed,
  });
  const issue = await look('ada', url, new AbortController().signal);
  return { code: issue?.code ?? null, message: issue?.message ?? '', lookups: asked };
}

const isOutside = (address: string): boolean => address === OUTSIDE || isPublicAddress(address);

describe('an image at a private address is not fetched, however the address is spelt:', () => {
  let server: ImageServer;
  beforeEach(async () => {
    const bytes = await imageBytes();
    server = await startImageServer((_request, response) => response.end(bytes));
  });

  it.each([
    'http://127.0.0.1:PORT/',
    'http://127.1:PORT/',
    'http://127.0.1:PORT/',
    'http://2130706433:PORT/',
    'http://0x7f000001:PORT/',
    'http://0x7f.0.0.0x1:PORT/',
    'http://0177.0.0.1:PORT/',
    'http://017700000001:PORT/',
    'http://0:PORT/',
    'http://0.0.0.0:PORT/',
    'http://127.0.0.1.:PORT/',
    'http://%31%32%37.0.0.1:PORT/',
    'http://①②⑦.⓪.⓪.①:PORT/',
    'http://127。0。0。1:PORT/',
    'http://[::1]:PORT/',
    'http://[0:0:0:0:0:0:0:1]:PORT/',
    'http://[::]:PORT/',
    'http://[::ffff:127.0.0.1]:PORT/',
    'http://[::ffff:7f00:1]:PORT/',
    'http://[::127.0.0.1]:PORT/',
    'http://[64:ff9b::7f00:1]:PORT/',
    'https://127.0.0.1:PORT/',
  ])('%s', async (url) => {
    const found = await inspect(url.replace('PORT', String(server.port)));
    expect(found.code).toBe('IMAGE_UNREACHABLE');
    expect(server.connections()).toBe(0);
  });

  it.each(['localhost', 'LOCALHOST', 'localhost.', 'a.localhost'])('http://%s, by its name', async (name) => {
    const found = await inspect(`http://${name}:${server.port}/`, { [name.toLowerCase()]: [['127.0.0.1']] });
    expect(found).toMatchObject({ code: 'IMAGE_UNREACHABLE', lookups: [name.toLowerCase()] });
    expect(server.connections()).toBe(0);
  });

  it.each([
    ['127.0.0.1'],
    ['::1'],
    ['::ffff:127.0.0.1'],
    ['10.0.0.1'],
    ['169.254.169.254'],
    ['fd00:ec2::254'],
    ['0.0.0.0'],
    // One public address does not make the others so.
    ['93.184.216.34', '127.0.0.1'],
    ['127.0.0.1', '93.184.216.34'],
    [],
  ])('a name that resolves to %s', async (...addresses) => {
    const url = `http://images.example:${server.port}/`;
    const found = await inspect(url, { 'images.example': [addresses] });
    expect(found.code).toBe('IMAGE_UNREACHABLE');
    expect(server.connections()).toBe(0);
  });

  it('and its answer is the same as for a name that does not exist', async () => {
    const [hidden, absent] = await Promise.all([
      inspect(`http://internal.example:${server.port}/`, { 'internal.example': [['127.0.0.1']] }),
      inspect(`http://absent.example:${server.port}/`),
    ]);
    expect(hidden.message).toBe(absent.message);
  });
});

describe('redirects', () => {
  let inside: ImageServer;
  beforeEach(async () => {
    const bytes = await imageBytes();
    inside = await startImageServer((_request, response) => response.end(bytes), INSIDE);
  });

  async function redirecting(location: string, status = 302): Promise<string> {
    const { port } = await startImageServer((_request, response) =>
      response.writeHead(status, { location: location.replace('PORT', String(inside.port)) }).end(),
    );
    return `http://${OUTSIDE}:${port}/image.png`;
  }

  it.each([
    'http://127.0.0.2:PORT/',
    'http://2130706434:PORT/',
    'http://[::ffff:127.0.0.2]:PORT/',
    'http://inside.example:PORT/',
    '//127.0.0.2:PORT/',
    '//user:password@127.0.0.2:PORT/',
    'file:///etc/passwd',
    'ftp://127.0.0.2/',
    'data:image/png;base64,AAAA',
    'http://',
    '',
  ])('lead nowhere where an address does not lead either: %s', async (location) => {
    const names = { 'inside.example': [[INSIDE]] };
    const found = await inspect(await redirecting(location), names, isOutside);
    expect(found.code).toBe('IMAGE_UNREACHABLE');
    expect(inside.connections()).toBe(0);
  });

  it.each([301, 302, 303, 307, 308])('are followed to another public address (%i)', async (status) => {
    const bytes = await imageBytes();
    const last = await startImageServer((_request, response) => response.end(bytes));
    const url = await redirecting(`http://other.example:${last.port}/`, status);
    const found = await inspect(url, { 'other.example': [[OUTSIDE]] }, isOutside);
    expect(found.code).toBe(null);
    expect(last.connections()).toBe(1);
  });

  it('are followed three times and not a fourth time', async () => {
    const bytes = await imageBytes();
    const { port } = await startImageServer(({ url = '' }, response) => {
      const left = Number(url.slice(1));
      if (left === 0) response.end(bytes);
      else response.writeHead(302, { location: `/${left - 1}` }).end();
    });
    expect((await inspect(`http://${OUTSIDE}:${port}/3`, {}, isOutside)).code).toBe(null);
    expect(await inspect(`http://${OUTSIDE}:${port}/4`, {}, isOutside)).toMatchObject({
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
    const found = await inspect(`http://moving.example:${outside.port}/`, names, isOutside);
    expect(found).toMatchObject({ code: null, lookups: ['moving.example'] });
    expect(outside.connections()).toBe(1);
  });

  it('is judged anew when a redirect leads back to it', async () => {
    const inside = await startImageServer((_request, response) => response.end('secret'), INSIDE);
    const outside = await startImageServer((_request, response) =>
      response.writeHead(302, { location: `http://moving.example:${inside.port}/` }).end(),
    );
    const names = { 'moving.example': [[OUTSIDE], [INSIDE]] };
    const found = await inspect(`http://moving.example:${outside.port}/`, names, isOutside);
    expect(found).toMatchObject({ code: 'IMAGE_UNREACHABLE', lookups: ['moving.example', 'moving.example'] });
    expect(inside.connections()).toBe(0);
  });
});
