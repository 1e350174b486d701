import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inspectVideo } from '../../src/archive/mp4.ts';
import { box } from '../kit/images.ts';
import { fragmentedVideo, playableVideo, realVideo, u32, videoFile } from '../kit/video-file.ts';
import { oncePerFile, onTestEnd } from '../kit/waits.ts';

const scratch = oncePerFile(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'kineograph-mp4-'));
  onTestEnd(() => rm(directory, { recursive: true }));
  const file = await open(join(directory, 'file'), 'w+');
  onTestEnd(() => file.close());
  return file;
});

async function inspect(bytes: Buffer): ReturnType<typeof inspectVideo> {
  const file = await scratch();
  await file.truncate(0);
  await file.write(bytes, 0, bytes.length, 0);
  return inspectVideo(file, bytes.length);
}

/** Inspects the first bytes of a file that is there, without writing it again. */
async function cutAt(lengths: Iterable<number>, bytes: Buffer): Promise<number[]> {
  const file = await scratch();
  await inspect(bytes);
  const accepted: number[] = [];
  for (const length of lengths) {
    await file.truncate(length);
    if (!('reason' in (await inspectVideo(file, length)))) accepted.push(length);
    await file.write(bytes, length, bytes.length - length, length);
  }
  return accepted;
}

/** Positions at which boxes at any depth begin and end, and where their content begins. */
function edgesOf(bytes: Buffer, start = 0, end = bytes.length): number[] {
  const CONTAINERS = ['moov', 'trak', 'mdia', 'minf', 'stbl', 'mvex', 'moof', 'traf'];
  const edges: number[] = [];
  for (let at = start; at + 8 <= end;) {
    const short = bytes.readUInt32BE(at);
    const size = short === 0 ? end - at : short === 1 ? Number(bytes.readBigUInt64BE(at + 8)) : short;
    const inner = CONTAINERS.includes(bytes.toString('latin1', at + 4, at + 8));
    edges.push(at, at + 8, ...(inner ? edgesOf(bytes, at + 8, at + size) : []));
    at += size;
  }
  return edges;
}

const FACTS = { durationSeconds: 4, width: 400, height: 320 };

/** Complete files of every kind. */
const KINDS: Readonly<Record<string, () => Buffer>> = {
  'index first': () => videoFile(),
  'index last': () => videoFile({ isFastStart: false }),
  '64-bit offsets': () => videoFile({ hasLongOffsets: true }),
  'a 64-bit box size': () => videoFile({ mediaSize: 'long' }),
  'a box to the end of the file': () => videoFile({ mediaSize: 'to-the-end' }),
  'samples of one size': () => videoFile({ sizes: 'common', bytes: 101_061 }),
  'sizes of 16 bits': () => videoFile({ sizes: 16 }),
  'sizes of 8 bits': () => videoFile({ sizes: 8, bytes: 20_000 }),
  'sizes of 4 bits': () => videoFile({ sizes: 4, bytes: 3_000 }),
  '5 MB': () => videoFile({ bytes: 5_000_000 }),
};

describe('a complete video', () => {
  it.each(Object.entries(KINDS))('is accepted and measured: %s', async (_, make) => {
    expect(await inspect(make())).toEqual(FACTS);
  });

  it('is accepted as encoders write it', async () => {
    const facts = await inspect(realVideo());
    expect(facts).toEqual({ durationSeconds: 6, width: 1280, height: 720 });
    expect(await inspect(playableVideo(1_000_000))).toEqual(facts);
  });

  it('is accepted in fragments', async () => {
    const video = fragmentedVideo([[1000, 10, 20], [500], [7, 7, 7, 7]]);
    expect(await inspect(video)).toEqual({ durationSeconds: 0.8, width: 400, height: 320 });
  });

  it('has the dimensions of its coded pictures when its track names none', async () => {
    const video = videoFile();
    const at = video.indexOf('tkhd') + 4;
    video.fill(0, at + 76, at + 84);
    expect(await inspect(video)).toEqual(FACTS);
  });
});

describe('a file that is cut', () => {
  it.each(Object.entries({ ...KINDS, 'as encoders write it': realVideo }))(
    'is not accepted, wherever it is cut: %s',
    async (_, make) => {
      const bytes = make();
      const edges = edgesOf(bytes).flatMap((edge) => [edge - 1, edge, edge + 1]);
      const spread = Array.from({ length: 300 }, (_one, part) => Math.floor((bytes.length * part) / 300));
      const lengths = [...edges, ...spread, bytes.length - 1].filter((at) => at >= 0 && at < bytes.length);
      // Behind the last sample, a box to the end of the file has bytes that nothing refers to.
      expect(await cutAt(lengths, bytes)).toEqual([]);
    },
  );

  it('is not accepted within a fragment', async () => {
    const bytes = fragmentedVideo([[1000, 10, 20], [500]]);
    const between = bytes.indexOf('moof', bytes.indexOf('moof') + 1) - 4;
    expect(await cutAt(Array(bytes.length).keys(), bytes)).toEqual([between]);
  });

  it('is not accepted if its missing bytes are zeros', async () => {
    // What a sparse file or a range that was never written looks like: the samples are there, and the index is not.
    const bytes = videoFile({ isFastStart: false });
    bytes.fill(0, bytes.length / 2);
    expect(await inspect(bytes)).toHaveProperty('reason');
  });
});

const NO_VIDEOS: readonly (readonly [what: string, bytes: Buffer, reason: string])[] = [
  ['nothing', Buffer.alloc(0), 'the file is empty'],
  ['an HTML page', Buffer.from('\n<!doctype html><title>Not here</title>'), 'it is an HTML or XML page'],
  ['an error in XML', Buffer.from('<?xml version="1.0"?><Error/>'), 'it is an HTML or XML page'],
  ['JSON', Buffer.from('{"code":404}'), 'it is JSON'],
  ['text', Buffer.from('upstream connect error'), 'it is a file of another type'],
  ['an image', Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1'), 'it is a file of another type'],
  ['zeros', Buffer.alloc(5000), 'it is a file of another type'],
  ['a type alone', box('ftyp', Buffer.from('isom')), 'the file has no index (box moov)'],
  ['sound alone', edited(videoFile(), 'vide', 'soun'), 'the file has no track with pictures'],
  ['no samples', fragmentedVideo([]), 'the file has no pictures'],
];

/** The same with the first occurrence of a text replaced. */
function edited(bytes: Buffer, text: string, by: string): Buffer {
  bytes.write(by, bytes.indexOf(text), 'latin1');
  return bytes;
}

/** A number in the content of the first box of a type, 0 being where the content begins. */
function withNumber(bytes: Buffer, type: string, offset: number, value: number): Buffer {
  bytes.writeUInt32BE(value, bytes.indexOf(type) + 4 + offset);
  return bytes;
}

const MAX = 0xffffffff;

const HOSTILE: Readonly<Record<string, () => Buffer>> = {
  'a size below that of the header': () => withNumber(videoFile(), 'moov', -8, 7),
  'a 64-bit size of nothing': () => withNumber(videoFile({ mediaSize: 'long' }), 'mdat', 4, 0),
  'a 64-bit size beyond any file': () => withNumber(videoFile({ mediaSize: 'long' }), 'mdat', 0, MAX),
  'an inner box larger than the outer one': () => withNumber(videoFile(), 'stbl', -8, 0x7fffffff),
  'more sizes than fit': () => withNumber(videoFile(), 'stsz', 8, MAX),
  'billions of samples of one size': () => withNumber(withNumber(videoFile(), 'stsz', 4, 1), 'stsz', 8, MAX),
  'samples of 4 GB': () => withNumber(videoFile(), 'stsz', 4, MAX),
  'sizes of 5 bits': () => withNumber(videoFile({ sizes: 8, bytes: 20_000 }), 'stz2', 4, 5),
  'more small sizes than fit': () => withNumber(videoFile({ sizes: 8, bytes: 20_000 }), 'stz2', 8, MAX),
  'more offsets than fit': () => withNumber(videoFile(), 'stco', 4, MAX),
  'no offsets': () => withNumber(videoFile(), 'stco', 4, 0),
  'an offset beyond the file': () => withNumber(videoFile(), 'stco', 8, MAX),
  'a long offset beyond the file': () => withNumber(videoFile({ hasLongOffsets: true }), 'co64', 8, MAX),
  'more runs of chunks than fit': () => withNumber(videoFile(), 'stsc', 4, MAX),
  'chunks without samples': () => withNumber(videoFile(), 'stsc', 12, 0),
  'no time scale': () => withNumber(videoFile(), 'mvhd', 12, 0),
  'no duration at all': () => withNumber(withNumber(videoFile(), 'mvhd', 16, 0), 'mdhd', 16, MAX),
  'no dimensions': () => {
    const bytes = withNumber(withNumber(videoFile(), 'tkhd', 76, 0), 'tkhd', 80, 0);
    return withNumber(bytes, 'stsd', 40, 0);
  },
  'a header box without content': () =>
    Buffer.concat([box('ftyp'), box('moov', box('trak', box('tkhd')), box('mvhd'))]),
  'two indexes': () => {
    const bytes = videoFile({ isFastStart: false });
    return Buffer.concat([bytes, bytes.subarray(bytes.indexOf('moov') - 4)]);
  },
  'samples of a fragment beyond the file': () => withNumber(fragmentedVideo([[1000]]), 'trun', 12, 1_000_000),
  'more samples in a fragment than fit': () => withNumber(fragmentedVideo([[1000]]), 'trun', 4, MAX),
  'boxes nested as deep as they fit': () => {
    // Each is eight bytes larger than what it contains.
    const boxes = Array.from({ length: 100_000 }, (_one, depth) => [
      u32(8 * (100_000 - depth)),
      Buffer.from('moov'),
    ]);
    return Buffer.concat([box('ftyp'), ...boxes.flat()]);
  },
  'very many boxes': () => Buffer.concat([box('ftyp'), Buffer.alloc(8_000_000, box('free'))]),
  'very many boxes in the index': () =>
    Buffer.concat([box('ftyp'), box('moov', Buffer.alloc(8_000_000, box('free')))]),
  'an index of 17 MiB': () => Buffer.concat([box('ftyp'), box('moov', Buffer.alloc(17 * 1024 * 1024))]),
};

describe('a file that is no video', () => {
  it.each(NO_VIDEOS)('is refused with the reason: %s', async (_, bytes, reason) => {
    expect(await inspect(bytes)).toEqual({ reason: `not a complete MP4 video: ${reason}` });
  });

  it.each(Object.entries(HOSTILE))('is refused: %s', async (_, make) => {
    expect(await inspect(make())).toEqual({
      reason: expect.stringMatching(/^not a complete MP4 video: /) as string,
    });
  });

  it.each([
    ['a size below that of the header', 'the size of a box is smaller than its header'],
    ['very many boxes', 'the file has too many boxes'],
    ['very many boxes in the index', 'a box contains more than 256 boxes'],
    ['an index of 17 MiB', 'its index is too large'],
  ])('is refused before it takes long: %s', async (name, reason) => {
    const bytes = HOSTILE[name]?.() ?? Buffer.alloc(0);
    expect(await inspect(bytes)).toEqual({ reason: `not a complete MP4 video: ${reason}` });
  });

  it('is refused if it is shorter than announced', async () => {
    const video = videoFile();
    const file = await scratch();
    await inspect(video.subarray(0, 50_000));
    expect(await inspectVideo(file, 2 ** 40)).toHaveProperty('reason');
  });
});

/** A file in memory: whoever reads from it is counted. */
function inMemory(bytes: Buffer): { readonly file: FileHandle; readonly read: () => number } {
  let total = 0;
  const read = (into: Buffer, offset: number, length: number, position: number) => {
    const bytesRead = bytes.copy(into, offset, position, position + length);
    total += bytesRead;
    return Promise.resolve({ bytesRead, buffer: into });
  };
  return { file: { read } as unknown as FileHandle, read: () => total };
}

describe('the last sample', () => {
  it.each(Object.entries(KINDS))('may end with the file, and not behind it: %s', async (_, make) => {
    const bytes = make();
    const isLong = bytes.includes('co64');
    const table = bytes.indexOf(isLong ? 'co64' : 'stco');
    const chunks = bytes.readUInt32BE(table + 8);
    const sizes = bytes.indexOf('stsz');
    const [common, count] =
      sizes < 0 ? [0, 0] : [bytes.readUInt32BE(sizes + 8), bytes.readUInt32BE(sizes + 12)];
    // Samples are as large as their bits allow, and three of them are in a chunk; of 100, the last chunk has one.
    const bits = sizes < 0 ? bytes.readUInt32BE(bytes.indexOf('stz2') + 8) : 0;
    const media = bytes.readUInt32BE(bytes.indexOf('mdat') - 4);
    const each = Math.min(2 ** bits - 1, Math.floor((media - 8) / 99));
    const last =
      sizes < 0 ? 3 * each : common > 0 ? common : bytes.readUInt32BE(sizes + 16 + 4 * (count - 1));
    const offset = table + (isLong ? 12 + 8 * chunks - 4 : 12 + 4 * (chunks - 1));
    bytes.writeUInt32BE(bytes.length - last, offset);
    expect(await inspect(bytes)).toEqual(FACTS);
    bytes.writeUInt32BE(bytes.length - last + 1, offset);
    expect(await inspect(bytes)).toHaveProperty('reason');
  });
});

describe('inspecting a file', () => {
  it('reads its headers and its index only, wherever they are', async () => {
    for (const isFastStart of [true, false]) {
      const { file, read } = inMemory(videoFile({ isFastStart, bytes: 50_000_000 }));
      expect(await inspectVideo(file, 50_000_000)).toEqual(FACTS);
      expect(read()).toBeLessThan(10_000);
    }
  });

  it('ends with facts or a reason, and reads no more than there is, whichever bytes are changed', async () => {
    const originals = [
      videoFile({ bytes: 3_000 }),
      videoFile({ bytes: 3_000, isFastStart: false, hasLongOffsets: true, mediaSize: 'long' }),
      videoFile({ sizes: 4, bytes: 3_000 }),
      fragmentedVideo([[100, 10, 20], [50]]),
      realVideo().subarray(0, 2_400),
    ];
    // The samples say nothing.
    const place = fc.nat({ max: 2_400 });
    const change = fc.tuple(place, fc.constantFrom(0, 1, 7, 8, 0x7f, 0x80, 0xff));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...originals),
        fc.array(change, { minLength: 1, maxLength: 8 }),
        fc.option(place),
        async (original, changes, length) => {
          const bytes = Buffer.from(original).subarray(0, length ?? original.length);
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
          const { file, read } = inMemory(bytes);
          const facts = await inspectVideo(file, bytes.length);
          expect('reason' in facts || facts.durationSeconds > 0).toBe(true);
          expect(read()).toBeLessThanOrEqual(2 * bytes.length + 16);
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it('rejects when the file cannot be read', async () => {
    const file = { read: () => Promise.reject(new Error('EIO: i/o error, read')) };
    await expect(inspectVideo(file as unknown as FileHandle, 1000)).rejects.toThrow('EIO');
  });
});
