import fc from 'fast-check';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { createInspector } from '../../src/pictures/inspector.ts';
import { MAX_PICTURE_BYTES, PictureError, type Picture } from '../../src/pictures/picture.ts';
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

  it.each(Object.entries(KINDS).filter(([name]) => !name.includes('behind')))(
    'is known to be cut short wherever it ends: %s',
    async (_, make) => {
      const bytes = await make();
      fc.assert(
        fc.property(fc.nat({ max: bytes.length - 1 }), (length) => {
          const expected = length > 0 && length < 3 ? 'IMAGE_TYPE' : 'IMAGE_BROKEN';
          expect(inspect(bytes.subarray(0, length))).toBe(expected);
        }),
        { numRuns: 100 },
      );
    },
  );

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
    ['a PNG with damaged pixels', () => damaged(png, 9000), 'IMAGE_BROKEN'],
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
