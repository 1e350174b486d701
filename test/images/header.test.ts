import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { createHeaderReader } from '../../src/images/header.ts';
import { ImageError, type Image } from '../../src/images/image.ts';
import type { ImageRules } from '../../src/models/define-model.ts';
import { DEFAULT_MODEL, IMAGES_OF_ANY_MODEL } from '../../src/models/index.ts';
import type { ImageIssueCode } from '../../src/tasks/validate-input.ts';
import {
  animation,
  box,
  claiming,
  flat,
  heic,
  ispe,
  noise,
  imageBytes,
  withChunk,
  type Format,
} from '../kit/images.ts';

/** What the reader finds in an image that arrives in these chunks, if any model may take it. */
function inspect(...chunks: readonly Buffer[]): Image | ImageIssueCode {
  return inspectBy(IMAGES_OF_ANY_MODEL, ...chunks);
}

function inspectBy(rules: ImageRules, ...chunks: readonly Buffer[]): Image | ImageIssueCode {
  const reader = createHeaderReader(rules);
  try {
    for (const chunk of chunks) reader.push(chunk);
    return reader.end();
  } catch (error) {
    if (error instanceof ImageError) return error.code;
    throw error;
  }
}

function caseOf(name: string): Promise<Buffer> {
  return readFile(new URL(`cases/${name}`, import.meta.url));
}

/** The chunks between these positions. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.toSorted((a, b) => a - b), bytes.length];
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

const FORMATS: readonly Format[] = ['jpeg', 'png', 'webp'];

/** Real files of every kind of each type. */
const KINDS: Readonly<Record<string, () => Promise<Buffer>>> = {
  'a JPEG': () => noise().jpeg().toBuffer(),
  'a progressive JPEG': () => noise().jpeg({ progressive: true }).toBuffer(),
  'a grey JPEG': () => noise().greyscale().jpeg().toBuffer(),
  'a JPEG with a profile and Exif': () =>
    noise()
      .withMetadata({ icc: 'p3', exif: { IFD0: { Copyright: 'nobody' } }, orientation: 6 })
      .jpeg()
      .toBuffer(),
  'a JPEG with bytes behind its end': async () =>
    Buffer.concat([await noise().jpeg().toBuffer(), Buffer.from('more \xff\xd8\xff')]),
  'a PNG': () => noise().png().toBuffer(),
  'a PNG with a palette': () => flat('png', {}, { palette: true }),
  'an interlaced PNG': () => noise().png({ progressive: true }).toBuffer(),
  'a PNG animation of one frame': async () =>
    withChunk(await noise().png().toBuffer(), 'acTL', Buffer.from([0, 0, 0, 1, 0, 0, 0, 0])),
  'a WebP': () => noise().webp().toBuffer(),
  'a lossless WebP': () => noise().webp({ lossless: true }).toBuffer(),
  'a WebP with transparency': () => noise().ensureAlpha(0.5).webp().toBuffer(),
  'a WebP with a profile': () => noise().withMetadata({ icc: 'p3' }).webp().toBuffer(),
  'a HEIC': () => Promise.resolve(heic()),
  'a HEIC of tiles with a thumbnail': () => {
    const sizes = [{ width: 64, height: 64 }, {}, { width: 100, height: 80 }];
    return Promise.resolve(
      heic([box('hvcC', Buffer.alloc(99)), ...sizes.map(ispe), box('irot', Buffer.alloc(1))]),
    );
  },
  'a HEIC under the general brand': () =>
    Promise.resolve(heic([ispe()], ['mif1', '\0\0\0\0', 'heic', 'hevc', 'msf1'])),
};

describe('the header of an image', () => {
  it.each(Object.entries(KINDS))('gives type and size: %s', async (name, make) => {
    const contentType = `image/${/JPEG|PNG|WebP|HEIC/.exec(name)?.[0].toLowerCase() ?? ''}`;
    expect(inspect(await make())).toEqual({ contentType, width: 400, height: 320 });
  });

  it.each(Object.entries(KINDS))('gives the same in chunks of any size: %s', async (_, make) => {
    const bytes = await make();
    const whole = inspect(bytes);
    const place = fc.nat({ max: bytes.length });
    fc.assert(
      fc.property(fc.array(place, { maxLength: 20 }), (places) => {
        expect(inspect(...cut(bytes, places))).toEqual(whole);
      }),
      { numRuns: 50 },
    );
    const places = Array.from({ length: Math.min(4000, bytes.length) }, (_one, at) => at);
    expect(inspect(...cut(bytes, places))).toEqual(whole);
  });

  it.each(Object.entries(KINDS))('must be complete, and no byte behind it is needed: %s', async (_, make) => {
    const bytes = await make();
    const whole = inspect(bytes);
    const lengths = Array.from({ length: bytes.length }, (_one, length) => length);
    const end = lengths.findIndex((length) => typeof inspect(bytes.subarray(0, length)) !== 'string');
    // Before the pixels, which are most of it.
    expect(end).toBeLessThan(bytes.length / 2);
    expect(inspect(bytes.subarray(0, 2))).toBe('IMAGE_TYPE');
    expect(inspect(bytes.subarray(0, end - 1))).toBe('IMAGE_BROKEN');
    fc.assert(
      fc.property(fc.integer({ min: end, max: bytes.length }), (length) => {
        expect(inspect(bytes.subarray(0, length))).toEqual(whole);
      }),
      { numRuns: 100 },
    );
  });

  test.each(['samsung-no-eoi-trailer.jpg', 'jpg-comment-len1.jpg'])(
    'is accepted where browsers open the image: %s',
    async (name) => {
      expect(inspect(await caseOf(name))).toEqual({ contentType: 'image/jpeg', width: 400, height: 400 });
    },
  );

  test.each([
    'min-19byte.jpg',
    'jpg-sof-precision12.jpg',
    'png-depth3.png',
    'webp-10px-canvas-claims-400.webp',
  ])('is rejected where no program opens the image: %s', async (name) => {
    expect(inspect(await caseOf(name))).toBe('IMAGE_BROKEN');
  });

  test('of a wrong size is rejected before the pixels arrive', async () => {
    const bytes = await imageBytes('png', { width: 300, height: 300 });
    expect(() => {
      createHeaderReader(DEFAULT_MODEL.image).push(bytes.subarray(0, bytes.indexOf('IDAT') + 4));
    }).toThrow(ImageError);
  });
});

describe('a file has the issue that it deserves:', () => {
  let png: Buffer;
  let jpeg: Buffer;
  let webp: Buffer;
  beforeAll(async () => {
    [jpeg, png, webp] = (await Promise.all(FORMATS.map((format) => imageBytes(format)))) as [
      Buffer,
      Buffer,
      Buffer,
    ];
  });

  /** A copy with these bytes at a position. */
  const written = (bytes: Buffer, at: number, hex: string): Buffer => {
    const copy = Buffer.from(bytes);
    copy.write(hex, at, 'hex');
    return copy;
  };

  /** The brands of a HEIC, and repeated bytes. */
  const behindBrands = (hex: string, length = 16): Buffer =>
    Buffer.concat([box('ftyp', Buffer.from('heic')), Buffer.alloc(length, hex, 'hex')]);

  /** The start of a JPEG and a megabyte of repeated bytes. */
  const filled = (bytes: Buffer, hex: string): Buffer =>
    Buffer.concat([bytes.subarray(0, 2), Buffer.alloc(1024 * 1024, hex, 'hex')]);

  /** A JPEG with these bytes in its frame header. */
  const frameOf = (bytes: Buffer, at: number, hex: string): Buffer =>
    written(bytes, bytes.indexOf('ffc0', 'hex') + 1 + at, hex);

  /** A PNG with this byte in its header, and the right checksum. */
  const withHeader = (bytes: Buffer, at: number, value: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy.writeUInt8(value, at);
    return claiming(copy, 400, 320);
  };

  /** A copy with one byte changed. */
  const damaged = (bytes: Buffer, at: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy.writeUInt8(copy.readUInt8(at) ^ 0xff, at);
    return copy;
  };

  it.each<[string, () => Buffer | Promise<Buffer>, ImageIssueCode | 'fine']>([
    ['nothing', () => Buffer.alloc(0), 'IMAGE_BROKEN'],
    ['text', () => Buffer.from('hello, this is no image'), 'IMAGE_TYPE'],
    ['two letters', () => Buffer.from('no'), 'IMAGE_TYPE'],
    ['a GIF', () => flat('gif'), 'IMAGE_TYPE'],
    ['an AVIF', () => noise().avif({ effort: 0 }).toBuffer(), 'IMAGE_TYPE'],
    [
      'an AVIF under the general brand',
      () => heic([ispe()], ['mif1', '\0\0\0\0', 'avif', 'miaf']),
      'IMAGE_TYPE',
    ],
    ['an MP4', () => heic([ispe()], ['isom', '\0\0\0\0', 'mp41']), 'IMAGE_TYPE'],
    ['three bytes of zero and text', () => Buffer.from('\0\0\0 and no boxes'), 'IMAGE_TYPE'],
    ['a HEIC sequence', () => heic([ispe()], ['hevc', '\0\0\0\0', 'heic']), 'IMAGE_ANIMATED'],
    ['a HEIC sequence of any coding', () => heic([ispe()], ['msf1', '\0\0\0\0', 'heic']), 'IMAGE_ANIMATED'],
    [
      'a HEIC that claims to be huge',
      () => heic([ispe({ width: 0xffffffff, height: 0xffffffff })]),
      'IMAGE_TOO_MANY_PIXELS',
    ],
    ['a HEIC without a size', () => heic([]), 'IMAGE_BROKEN'],
    ['a HEIC without width', () => heic([ispe({ width: 0 })]), 'IMAGE_BROKEN'],
    ['a HEIC with a size that is cut short', () => heic([box('ispe', Buffer.alloc(8, 1))]), 'IMAGE_BROKEN'],
    ['a HEIC without properties', () => box('ftyp', Buffer.from('heic')), 'IMAGE_BROKEN'],
    ['a HEIC whose brands are cut short', () => heic().subarray(0, 20), 'IMAGE_BROKEN'],
    ['a HEIC with a box smaller than its head', () => behindBrands('00000007'), 'IMAGE_BROKEN'],
    ['a HEIC with a box up to the end of the file', () => behindBrands('00000000'), 'IMAGE_BROKEN'],
    ['a HEIC with a box of a 64-bit size', () => behindBrands('00000001'), 'IMAGE_BROKEN'],
    ['a HEIC with a box that claims 4 GB', () => behindBrands('ffffffff'), 'IMAGE_BROKEN'],
    [
      'a HEIC of hundreds of thousands of boxes',
      () => behindBrands('0000000866726565', 2_000_000),
      'IMAGE_BROKEN',
    ],
    ['a HEIC of boxes in boxes', () => behindBrands('000000106970636f', 2_000_000), 'IMAGE_BROKEN'],
    ['an SVG', () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'IMAGE_TYPE'],
    [
      'a WAV file',
      () => Buffer.concat([Buffer.from('RIFF\x24\0\0\0WAVEfmt '), Buffer.alloc(28)]),
      'IMAGE_TYPE',
    ],
    ['an animated WebP', () => animation('webp'), 'IMAGE_ANIMATED'],
    [
      'an animated PNG',
      () => withChunk(png, 'acTL', Buffer.from([0, 0, 0, 2, 0, 0, 0, 0])),
      'IMAGE_ANIMATED',
    ],
    ['a PNG that claims to be huge', () => claiming(png, 65_500, 65_500), 'IMAGE_TOO_MANY_PIXELS'],
    [
      'a PNG that claims the largest size',
      () => claiming(png, 0xffffffff, 0xffffffff),
      'IMAGE_TOO_MANY_PIXELS',
    ],
    [
      'a JPEG that claims to be huge',
      () => written(jpeg, jpeg.indexOf('ffc0', 'hex') + 5, 'ffffffff'),
      'IMAGE_TOO_MANY_PIXELS',
    ],
    ['a WebP that claims to be huge', () => written(webp, 26, 'ff3fff3f'), 'IMAGE_TOO_MANY_PIXELS'],
    ['a PNG without width', () => claiming(png, 0, 400), 'IMAGE_BROKEN'],
    ['a PNG with a damaged signature', () => damaged(png, 6), 'IMAGE_BROKEN'],
    ['a PNG with a damaged header', () => damaged(png, 20), 'IMAGE_BROKEN'],
    ['a PNG with damaged pixels', () => damaged(png, 9000), 'fine'],
    ['a PNG without its end', () => png.subarray(0, -12), 'fine'],
    ['a PNG with two headers', () => withChunk(png, 'IHDR', png.subarray(16, 29)), 'IMAGE_BROKEN'],
    ['a PNG of colour type 1', () => withHeader(png, 25, 1), 'IMAGE_BROKEN'],
    ['a PNG with an unknown compression', () => withHeader(png, 26, 1), 'IMAGE_BROKEN'],
    ['a PNG without its palette', () => withHeader(png, 25, 3), 'IMAGE_BROKEN'],
    ['a lossless JPEG', () => frameOf(jpeg, 0, 'c3'), 'IMAGE_BROKEN'],
    ['an arithmetic JPEG', () => frameOf(jpeg, 0, 'c9'), 'IMAGE_BROKEN'],
    ['a JPEG of 2 colours', () => frameOf(jpeg, 8, '02'), 'IMAGE_BROKEN'],
    ['a JPEG with a frame of the wrong length', () => frameOf(jpeg, 2, '14'), 'IMAGE_BROKEN'],
    ['a WebP whose frame is no key frame', () => written(webp, 20, 'ff'), 'IMAGE_BROKEN'],
    ['a PNG without pixels', () => Buffer.concat([png.subarray(0, 33), png.subarray(-12)]), 'IMAGE_BROKEN'],
    [
      'a PNG with a chunk that claims 4 GB',
      () => Buffer.concat([png.subarray(0, 33), Buffer.from([255, 255, 255, 255]), Buffer.from('zTXtmore')]),
      'IMAGE_BROKEN',
    ],
    ['a JPEG of markers alone', () => Buffer.from([0xff, 0xd8, 0xff, 0xd9]), 'IMAGE_BROKEN'],
    ['a JPEG without a frame', () => Buffer.from('ffd8ffda000300ffd9', 'hex'), 'IMAGE_BROKEN'],
    ['a JPEG segment shorter than its length', () => Buffer.from('ffd8ffe00001ffd9', 'hex'), 'IMAGE_BROKEN'],
    [
      'a JPEG without height',
      () => Buffer.from('ffd8ffc0000b080000019001011100ffda000300ffd9', 'hex'),
      'IMAGE_BROKEN',
    ],
    [
      'a JPEG signature followed by text',
      () => Buffer.concat([jpeg.subarray(0, 3), Buffer.alloc(5000, 'no such image')]),
      'IMAGE_BROKEN',
    ],
    ['a WebP with a damaged frame', () => damaged(webp, 23), 'IMAGE_BROKEN'],
    ['a WebP without pixels', () => Buffer.from('RIFF\x0c\0\0\0WEBPEXIF\0\0\0\0'), 'IMAGE_BROKEN'],
    [
      'a PNG with a damaged comment',
      () => damaged(withChunk(png, 'tEXt', Buffer.from('Author\0somebody')), 45),
      'fine',
    ],
    ['a JPEG of 0xFF only', () => filled(jpeg, 'ff'), 'IMAGE_BROKEN'],
    ['a JPEG of hundreds of thousands of segments', () => filled(jpeg, 'ffe00002'), 'IMAGE_BROKEN'],
    ['a WebP that claims less than it has', () => Buffer.from('RIFF\x04\0\0\0WEBPVP8 '), 'IMAGE_BROKEN'],
  ])('%s', async (_, make, code) => {
    const found = inspect(await make());
    expect(typeof found === 'string' ? found : 'fine').toBe(code);
  });

  it('any bytes behind a signature give an image or an issue', () => {
    const brands = box('ftyp', Buffer.from('heic'));
    const signatures = [Buffer.from('ffd8ff', 'hex'), png.subarray(0, 8), webp.subarray(0, 12), brands];
    fc.assert(
      fc.property(fc.constantFrom(...signatures), fc.uint8Array({ maxLength: 400 }), (signature, rest) => {
        const found = inspect(Buffer.concat([signature, rest]));
        expect(typeof found === 'string' ? found : found.contentType).toMatch(/^IMAGE_|^image\//);
      }),
    );
  });
});
