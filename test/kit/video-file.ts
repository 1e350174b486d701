import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { box } from './images.ts';

export interface VideoFileOptions {
  /** Of the whole file. */
  readonly bytes?: number;
  /** Whether the index comes before the samples. */
  readonly isFastStart?: boolean;
  /** Offsets of 64 bits. */
  readonly hasLongOffsets?: boolean;
  /** A 64-bit size, or none at all, in the header of the samples' box, which has to be the last one then. */
  readonly mediaSize?: 'short' | 'long' | 'to-the-end';
  /** How the sizes of samples are stored: one of them each, or with so many bits each. */
  readonly sizes?: 'own' | 'common' | 4 | 8 | 16;
  readonly width?: number;
  readonly height?: number;
  readonly seconds?: number;
}

const TIMESCALE = 1000;
const SAMPLES_PER_CHUNK = 3;

/** The sandbox's video, as an encoder wrote it. */
export function realVideo(): Buffer {
  return readFileSync(new URL('../../assets/kineograph.mp4', import.meta.url));
}

/** A file that browsers play, of exactly so many bytes. No two are equal, and the difference lies in the last ones. */
export function playableVideo(bytes: number): Buffer {
  const video = realVideo();
  return Buffer.concat([video, box('free', noise(bytes - video.length - 8))]);
}

/** A valid MP4 file with random bytes as samples: no two are equal, and no browser plays them. */
export function videoFile(options: VideoFileOptions = {}): Buffer {
  const { bytes = 100_000, isFastStart = true, mediaSize = 'short' } = options;
  const type = box('ftyp', Buffer.from('isom\0\0\x02\0isomiso2mp41'));
  // Its length does not depend on the offsets.
  const indexBytes = index(options, 0, 0).length;
  const headerBytes = mediaSize === 'long' ? 16 : 8;
  const mediaBytes = bytes - type.length - indexBytes - headerBytes;
  const mediaAt = type.length + (isFastStart ? indexBytes : 0) + headerBytes;
  const moov = index(options, mediaAt, mediaBytes);
  const header = Buffer.alloc(headerBytes);
  header.write('mdat', 4);
  if (mediaSize === 'short') header.writeUInt32BE(headerBytes + mediaBytes);
  if (mediaSize === 'long') {
    header.writeUInt32BE(1);
    header.writeBigUInt64BE(BigInt(headerBytes + mediaBytes), 8);
  }
  const media = [header, noise(mediaBytes)];
  return Buffer.concat(isFastStart ? [type, moov, ...media] : [type, ...media, moov]);
}

/** The box `moov` of a track whose samples fill so many bytes from there on. */
function index(options: VideoFileOptions, mediaAt: number, mediaBytes: number): Buffer {
  const { height = 320, seconds = 4, sizes = 'own', width = 400 } = options;
  const tables = sampleTables(sizes, mediaBytes);
  const offsets = tables.chunks.map((offset) => mediaAt + offset);
  const duration = seconds * TIMESCALE;
  const stbl = box(
    'stbl',
    full('stsd', u32(1), box('avc1', Buffer.alloc(24), u16(width), u16(height), Buffer.alloc(50))),
    full('stts', u32(1), u32(tables.samples), u32(duration / tables.samples)),
    full('stsc', u32(1), u32(1), u32(SAMPLES_PER_CHUNK), u32(1)),
    tables.sizes,
    options.hasLongOffsets
      ? full('co64', u32(offsets.length), ...offsets.map(u64))
      : full('stco', u32(offsets.length), ...offsets.map((offset) => u32(offset))),
  );
  return box('moov', mvhd(duration), box('trak', ...trackHeaders(duration, width, height, stbl)));
}

function trackHeaders(duration: number, width: number, height: number, stbl: Buffer): Buffer[] {
  const tkhd = full('tkhd', Buffer.alloc(8), u32(1), Buffer.alloc(4), u32(duration), Buffer.alloc(52));
  const size = Buffer.concat([u32(width * 0x10000), u32(height * 0x10000)]);
  return [
    grown(tkhd, size),
    box(
      'mdia',
      full('mdhd', Buffer.alloc(8), u32(TIMESCALE), u32(duration), Buffer.alloc(4)),
      full('hdlr', Buffer.alloc(4), Buffer.from('vide'), Buffer.alloc(13)),
      box('minf', full('vmhd', Buffer.alloc(8)), stbl),
    ),
  ];
}

function mvhd(duration: number): Buffer {
  return full('mvhd', Buffer.alloc(8), u32(TIMESCALE), u32(duration), Buffer.alloc(80));
}

/** The table of sizes, how many samples it has, and where chunks begin within the media. */
function sampleTables(sizes: NonNullable<VideoFileOptions['sizes']>, mediaBytes: number) {
  // The largest that fit into so many bits, so that few bits mean small files.
  const most = typeof sizes === 'number' ? 2 ** sizes - 1 : Infinity;
  const samples = typeof sizes === 'number' ? 99 : 100;
  const each = Math.min(most, Math.floor(mediaBytes / samples));
  const last = sizes === 'own' ? mediaBytes - each * (samples - 1) : each;
  const all = Array.from({ length: samples }, (_one, sample) => (sample === samples - 1 ? last : each));
  const chunks = Array.from(
    { length: Math.ceil(samples / SAMPLES_PER_CHUNK) },
    (_one, chunk) => chunk * SAMPLES_PER_CHUNK * each,
  );
  return { chunks, samples, sizes: sizesBox(sizes, all, each) };
}

function sizesBox(
  kind: NonNullable<VideoFileOptions['sizes']>,
  all: readonly number[],
  each: number,
): Buffer {
  if (kind === 'common') return full('stsz', u32(each), u32(all.length));
  if (kind === 'own') return full('stsz', u32(0), u32(all.length), ...all.map((size) => u32(size)));
  const entries = Buffer.alloc(Math.ceil((all.length * kind) / 8));
  for (const [sample, size] of all.entries()) {
    if (kind === 16) entries.writeUInt16BE(size, 2 * sample);
    if (kind === 8) entries.writeUInt8(size, sample);
    if (kind === 4) entries[sample >> 1] = (entries[sample >> 1] ?? 0) | (sample % 2 ? size : size << 4);
  }
  return full('stz2', u32(kind), u32(all.length), entries);
}

/** A fragmented file; each fragment has samples of these sizes, each a tenth of a second. */
export function fragmentedVideo(fragments: readonly (readonly number[])[]): Buffer {
  const stbl = box(
    'stbl',
    full('stsd', u32(1), box('avc1', Buffer.alloc(24), u16(400), u16(320), Buffer.alloc(50))),
    full('stsc', u32(0)),
    full('stsz', u32(0), u32(0)),
    full('stco', u32(0)),
  );
  const trex = full('trex', u32(1), u32(1), u32(TIMESCALE / 10), u32(0), u32(0));
  const moov = box('moov', mvhd(0), box('trak', ...trackHeaders(0, 400, 320, stbl)), box('mvex', trex));
  return Buffer.concat([
    box('ftyp', Buffer.from('iso6\0\0\x02\0iso6mp41')),
    moov,
    ...fragments.flatMap((sizes) => [moof(sizes), box('mdat', noise(sum(sizes)))]),
  ]);
}

function moof(sizes: readonly number[]): Buffer {
  const [BASE_IS_MOOF, OFFSET_AND_SIZES] = [0x20000, 0x201];
  const made = (offset: number): Buffer =>
    box(
      'moof',
      full('mfhd', u32(1)),
      box(
        'traf',
        box('tfhd', u32(BASE_IS_MOOF), u32(1)),
        box('trun', u32(OFFSET_AND_SIZES), u32(sizes.length), u32(offset), ...sizes.map((size) => u32(size))),
      ),
    );
  return made(made(0).length + 8);
}

/** Quickly made bytes that differ each time. */
function noise(bytes: number): Buffer {
  return Buffer.alloc(bytes, randomBytes(Math.min(bytes, 4096) || 1));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

/** A box that begins with version and flags, all zero. */
function full(type: string, ...content: readonly Buffer[]): Buffer {
  return box(type, Buffer.alloc(4), ...content);
}

/** A box with more at its end. */
function grown(one: Buffer, more: Buffer): Buffer {
  return box(one.toString('latin1', 4, 8), one.subarray(8), more);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(Math.floor(value));
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
