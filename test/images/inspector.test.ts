import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { createInspector } from '../../src/images/header.ts';
import { MAX_PICTURE_BYTES, PictureError, type Picture } from '../../src/images/image.ts';
import type { ImageIssueCode } from '../../src/tasks/image-issue.ts';
import {
  animation,
  claiming,
  flat,
  noise,
  picture,
  pngOf,
  withChunk,
  type Format,
} from '../support/pictures.ts';

/** What it finds in a picture that comes in these parts. */
function inspect(...chunks: readonly Buffer[]): Picture | ImageIssueCode {
  const inspector = createInspector();
  try {
    for (const chunk of chunks) inspector.push(chunk);
    return inspector.end();
  } catch (error) {
    if (error instanceof PictureError) return error.code;
    throw error;
  }
}

function caseOf(name: string): Promise<Buffer> {
  return readFile(new URL(`cases/${name}`, import.meta.url));
}

/** The parts between these places. */
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
  'a JPEG with something behind its end': async () =>
    Buffer.concat([await noise().jpeg().toBuffer(), Buffer.from('more \xff\xd8\xff')]),
  'a PNG': () => noise().png().toBuffer(),
  'a PNG with a palette': () => flat('png', {}, { palette: true }),
  'an interlaced PNG': () => noise().png({ progressive: true }).toBuffer(),
  'a PNG of one frame that calls itself an animation': async () =>
    withChunk(await noise().png().toBuffer(), 'acTL', Buffer.from([0, 0, 0, 1, 0, 0, 0, 0])),
  'a WebP': () => noise().webp().toBuffer(),
  'a lossless WebP': () => noise().webp({ lossless: true }).toBuffer(),
  'a WebP with transparency': () => noise().ensureAlpha(0.5).webp().toBuffer(),
  'a WebP with a profile': () => noise().withMetadata({ icc: 'p3' }).webp().toBuffer(),
};

describe('a picture', () => {
  it.each(Object.entries(KINDS))('is known by its bytes: %s', async (name, make) => {
    const contentType = `image/${/JPEG|PNG|WebP/.exec(name)?.[0].toLowerCase() ?? ''}`;
    expect(inspect(await make())).toEqual({ contentType, width: 400, height: 320 });
  });

  it.each(Object.entries(KINDS))('is found the same however it is cut: %s', async (_, make) => {
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

  it.each(Object.entries(KINDS))(
    'is refused when its header is cut short, and only then: %s',
    async (_, make) => {
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
    },
  );

  test.each(['samsung-no-eoi-trailer.jpg', 'jpg-comment-len1.jpg'])(
    'that browsers open is taken: %s',
    async (name) => {
      expect(inspect(await caseOf(name))).toEqual({ contentType: 'image/jpeg', width: 400, height: 400 });
    },
  );

  test.each([
    'min-19byte.jpg',
    'jpg-sof-precision12.jpg',
    'png-depth3.png',
    'webp-10px-canvas-claims-400.webp',
  ])('that nothing opens is refused: %s', async (name) => {
    expect(inspect(await caseOf(name))).toBe('IMAGE_BROKEN');
  });

  test('of a wrong size is refused before its pixels have come', async () => {
    const bytes = await picture('png', { width: 300, height: 300 });
    expect(() => {
      createInspector().push(bytes.subarray(0, 33));
    }).toThrow(PictureError);
  });

  test('is described before its pixels have come', async () => {
    for (const format of FORMATS) {
      const bytes = await picture(format);
      const inspector = createInspector();
      inspector.push(bytes.subarray(0, 2000));
      expect(inspector.picture).toMatchObject({ width: 400, height: 320 });
    }
  });

  test('may have 10 MB and not a byte more', async () => {
    expect(inspect(await pngOf(MAX_PICTURE_BYTES))).toMatchObject({ width: 310 });
    expect(inspect(await pngOf(MAX_PICTURE_BYTES + 1))).toBe('IMAGE_TOO_LARGE');
  });
});

describe('dimensions', () => {
  it.each<[number, number, ImageIssueCode | 'fine']>([
    [301, 301, 'fine'],
    [300, 600, 'IMAGE_TOO_SMALL'],
    [600, 300, 'IMAGE_TOO_SMALL'],
    [1, 1, 'IMAGE_TOO_SMALL'],
    [400, 1000, 'fine'],
    [1000, 400, 'fine'],
    [400, 1001, 'IMAGE_ASPECT_RATIO'],
    [1001, 400, 'IMAGE_ASPECT_RATIO'],
  ])('of %i × %i are %s', async (width, height, expected) => {
    for (const format of FORMATS) {
      const found = inspect(await flat(format, { width, height }));
      expect(typeof found === 'string' ? found : 'fine').toBe(expected);
    }
  });
});

describe('what is no picture that the model takes is named for what it is:', () => {
  let png: Buffer;
  let jpeg: Buffer;
  let webp: Buffer;
  let extended: Buffer;
  beforeAll(async () => {
    extended = await noise().ensureAlpha(0.5).webp().toBuffer();
    [jpeg, png, webp] = (await Promise.all(FORMATS.map((format) => picture(format)))) as [
      Buffer,
      Buffer,
      Buffer,
    ];
  });

  /** The same with these bytes in it. */
  const written = (bytes: Buffer, at: number, hex: string): Buffer => {
    const copy = Buffer.from(bytes);
    copy.write(hex, at, 'hex');
    return copy;
  };

  /** The beginning of a JPEG, and then a megabyte of the same bytes. */
  const filled = (bytes: Buffer, hex: string): Buffer =>
    Buffer.concat([bytes.subarray(0, 2), Buffer.alloc(1024 * 1024, hex, 'hex')]);

  /** A JPEG with these bytes behind the beginning of its frame's marker. */
  const frameOf = (bytes: Buffer, at: number, hex: string): Buffer =>
    written(bytes, bytes.indexOf('ffc0', 'hex') + 1 + at, hex);

  /** A PNG with this byte in its header, and the right checksum. */
  const withHeader = (bytes: Buffer, at: number, value: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy.writeUInt8(value, at);
    return claiming(copy, 400, 320);
  };

  /** The same with one byte changed. */
  const damaged = (bytes: Buffer, at: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy.writeUInt8(copy.readUInt8(at) ^ 0xff, at);
    return copy;
  };

  it.each<[string, () => Buffer | Promise<Buffer>, ImageIssueCode | 'fine']>([
    ['nothing', () => Buffer.alloc(0), 'IMAGE_BROKEN'],
    ['text', () => Buffer.from('hello, this is no picture'), 'IMAGE_TYPE'],
    ['two letters', () => Buffer.from('no'), 'IMAGE_TYPE'],
    ['zeros', () => Buffer.alloc(5000), 'IMAGE_TYPE'],
    ['a GIF', () => flat('gif'), 'IMAGE_TYPE'],
    ['a TIFF', () => noise().tiff().toBuffer(), 'IMAGE_TYPE'],
    ['an AVIF', () => noise().avif({ effort: 0 }).toBuffer(), 'IMAGE_TYPE'],
    ['an SVG', () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'IMAGE_TYPE'],
    ['a sound', () => Buffer.concat([Buffer.from('RIFF\x24\0\0\0WAVEfmt '), Buffer.alloc(28)]), 'IMAGE_TYPE'],
    ['a moving WebP', () => animation('webp'), 'IMAGE_ANIMATED'],
    ['a moving PNG', () => withChunk(png, 'acTL', Buffer.from([0, 0, 0, 2, 0, 0, 0, 0])), 'IMAGE_ANIMATED'],
    ['a PNG that claims to be huge', () => claiming(png, 65_500, 65_500), 'IMAGE_TOO_MANY_PIXELS'],
    [
      'a PNG that claims the largest size',
      () => claiming(png, 0xffffffff, 0xffffffff),
      'IMAGE_TOO_MANY_PIXELS',
    ],
    [
      'a small PNG of many pixels',
      () => flat('png', { width: 10_100, height: 10_000 }),
      'IMAGE_TOO_MANY_PIXELS',
    ],
    [
      'a JPEG that claims to be huge',
      () => written(jpeg, jpeg.indexOf('ffc0', 'hex') + 5, 'ffffffff'),
      'IMAGE_TOO_MANY_PIXELS',
    ],
    ['a WebP that claims to be huge', () => written(extended, 24, 'ffff3fffff3f'), 'IMAGE_TOO_MANY_PIXELS'],
    ['a PNG without width', () => claiming(png, 0, 400), 'IMAGE_BROKEN'],
    ['a PNG with a damaged signature', () => damaged(png, 6), 'IMAGE_BROKEN'],
    ['a PNG with a damaged header', () => damaged(png, 20), 'IMAGE_BROKEN'],
    ['a PNG with damaged pixels', () => damaged(png, 9000), 'fine'],
    ['a PNG without its end', () => png.subarray(0, -12), 'fine'],
    ['a PNG with two headers', () => withChunk(png, 'IHDR', png.subarray(16, 29)), 'IMAGE_BROKEN'],
    ['a PNG of bit depth 3', () => withHeader(png, 24, 3), 'IMAGE_BROKEN'],
    ['a PNG of colour type 1', () => withHeader(png, 25, 1), 'IMAGE_BROKEN'],
    ['a PNG that is packed in an unknown way', () => withHeader(png, 26, 1), 'IMAGE_BROKEN'],
    ['a PNG with a palette that is not there', () => withHeader(png, 25, 3), 'IMAGE_BROKEN'],
    ['a JPEG without its end', () => jpeg.subarray(0, -2), 'fine'],
    ['a lossless JPEG', () => frameOf(jpeg, 0, 'c3'), 'IMAGE_BROKEN'],
    ['an arithmetic JPEG', () => frameOf(jpeg, 0, 'c9'), 'IMAGE_BROKEN'],
    ['a JPEG of 12 bits', () => frameOf(jpeg, 3, '0c'), 'IMAGE_BROKEN'],
    ['a JPEG of 2 colours', () => frameOf(jpeg, 8, '02'), 'IMAGE_BROKEN'],
    ['a JPEG whose frame has another length', () => frameOf(jpeg, 2, '14'), 'IMAGE_BROKEN'],
    ['a WebP whose canvas is larger than its frame', () => written(extended, 24, '9f0100'), 'IMAGE_BROKEN'],
    ['a WebP whose frame is no key frame', () => written(webp, 20, 'ff'), 'IMAGE_BROKEN'],
    ['a PNG without pixels', () => Buffer.concat([png.subarray(0, 33), png.subarray(-12)]), 'IMAGE_BROKEN'],
    [
      'a PNG with a part that claims 4 GB',
      () => Buffer.concat([png.subarray(0, 33), Buffer.from([255, 255, 255, 255]), Buffer.from('zTXtmore')]),
      'IMAGE_BROKEN',
    ],
    ['a JPEG of markers alone', () => Buffer.from([0xff, 0xd8, 0xff, 0xd9]), 'IMAGE_BROKEN'],
    ['a JPEG without a frame', () => Buffer.from('ffd8ffda000300ffd9', 'hex'), 'IMAGE_BROKEN'],
    [
      'a JPEG with a part shorter than its length',
      () => Buffer.from('ffd8ffe00001ffd9', 'hex'),
      'IMAGE_BROKEN',
    ],
    [
      'a JPEG without height',
      () => Buffer.from('ffd8ffc0000b080000019001011100ffda000300ffd9', 'hex'),
      'IMAGE_BROKEN',
    ],
    [
      'a JPEG that begins and goes on as text',
      () => Buffer.concat([jpeg.subarray(0, 3), Buffer.alloc(5000, 'no such picture')]),
      'IMAGE_BROKEN',
    ],
    ['a WebP with a damaged frame', () => damaged(webp, 23), 'IMAGE_BROKEN'],
    ['a WebP without pixels', () => Buffer.from('RIFF\x0c\0\0\0WEBPEXIF\0\0\0\0'), 'IMAGE_BROKEN'],
    [
      'a PNG with a part that decoders pass over, and that is damaged',
      () => damaged(withChunk(png, 'tEXt', Buffer.from('Author\0somebody')), 45),
      'fine',
    ],
    ['a JPEG of nothing but the beginning of a marker', () => filled(jpeg, 'ff'), 'IMAGE_BROKEN'],
    ['a JPEG of hundreds of thousands of parts', () => filled(jpeg, 'ffe00002'), 'IMAGE_BROKEN'],
    ['a WebP that claims less than it has', () => Buffer.from('RIFF\x04\0\0\0WEBPVP8 '), 'IMAGE_BROKEN'],
  ])('%s', async (_, make, code) => {
    const found = inspect(await make());
    expect(typeof found === 'string' ? found : 'fine').toBe(code);
  });

  it('whatever it is, in whatever order: any bytes behind a signature come to an end', () => {
    const signatures = [Buffer.from('ffd8ff', 'hex'), png.subarray(0, 8), webp.subarray(0, 12)];
    fc.assert(
      fc.property(fc.constantFrom(...signatures), fc.uint8Array({ maxLength: 400 }), (signature, rest) => {
        const found = inspect(Buffer.concat([signature, rest]));
        expect(typeof found === 'string' ? found : found.contentType).toMatch(/^IMAGE_|^image\//);
      }),
    );
  });
});
