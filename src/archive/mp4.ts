import type { FileHandle } from 'node:fs/promises';
import type { StoredVideo } from '../tasks/video.ts';
import { childrenOf, find, get, MAX_HEADER_BYTES, parseHeader, readUint64, VideoError } from './mp4-boxes.ts';
import { announcedDuration, createFragmentCheck, type FragmentedTracks } from './mp4-fragments.ts';
import { checkSamples } from './mp4-samples.ts';

type VideoFacts = Pick<StoredVideo, 'durationSeconds' | 'width' | 'height'>;

/** A box at the top of the file. */
interface TopBox {
  readonly type: string;
  /** Where its header and its content begin, and where it ends, in bytes from the beginning of the file. */
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;
}

/** A track with pictures. */
interface VideoTrack {
  readonly id: number;
  readonly width: number;
  readonly height: number;
  /** Samples outside fragments. */
  readonly samples: number;
  /** Units of time in a second, and how many of them the track takes outside fragments. */
  readonly timescale: number;
  readonly duration: number;
}

const MIB = 1024 * 1024;
/** The index of an hour of video takes about 2 MiB. */
const MAX_INDEX_BYTES = 16 * MIB;
/** Fragments of an hour of video take about as much. */
const MAX_TOP_BOXES = 10_000;
const MAX_FRAGMENTS_BYTES = 64 * MIB;
/** Types with which a file may begin (ISO/IEC 14496-12, table 1, and QuickTime's `wide`). */
const FIRST_TYPES = new Set(['ftyp', 'styp', 'moov', 'mdat', 'free', 'skip', 'wide', 'pdin', 'uuid']);

/**
 * Verifies that a file of so many bytes is a complete MP4 video (ISO/IEC 14496-12), and measures it: its boxes fill the file,
 * and every sample of every track lies within it. Decodes nothing. Of a fragmented file that is cut exactly behind a fragment
 * nothing can be told. Rejects only when the file cannot be read.
 */
export async function inspectVideo(
  file: FileHandle,
  bytes: number,
): Promise<VideoFacts | { readonly reason: string }> {
  try {
    return await inspect(file, bytes);
  } catch (error) {
    if (error instanceof VideoError) return { reason: `not a complete MP4 video: ${error.message}` };
    // Node.js throws it for a read behind the end of a buffer.
    if (error instanceof RangeError) return { reason: 'not a complete MP4 video: a box is too short' };
    throw error;
  }
}

async function inspect(file: FileHandle, bytes: number): Promise<VideoFacts> {
  if (bytes === 0) throw new VideoError('the file is empty');
  const boxes = await readTopBoxes(file, bytes);
  const indexes = boxes.filter(({ type }) => type === 'moov');
  const [index] = indexes;
  if (!index) throw new VideoError('the file has no index (box moov)');
  if (indexes.length > 1) throw new VideoError('the file has two indexes (box moov)');
  const moov = await readContent(file, index, MAX_INDEX_BYTES);

  const track = readTracks(moov, bytes);
  const mvex = find(moov, 'mvex');
  const fragments: FragmentedTracks = new Map();
  if (mvex !== null) await readFragments(file, boxes, createFragmentCheck(mvex, bytes, fragments));
  const inFragments = fragments.get(track.id) ?? { samples: 0, duration: 0 };

  if (track.samples + inFragments.samples === 0) throw new VideoError('the file has no pictures');
  const movie = readDuration(get(moov, 'mvhd'));
  const seconds = Math.max(
    movie.duration / movie.timescale,
    mvex === null ? 0 : announcedDuration(mvex) / movie.timescale,
    (track.duration + inFragments.duration) / track.timescale,
  );
  if (!(seconds > 0 && seconds < Infinity)) throw new VideoError('the file does not say how long it is');
  return { durationSeconds: seconds, width: track.width, height: track.height };
}

/** Only a complete file is filled by its boxes. */
async function readTopBoxes(file: FileHandle, bytes: number): Promise<readonly TopBox[]> {
  const boxes: TopBox[] = [];
  for (let start = 0; start < bytes;) {
    if (boxes.length === MAX_TOP_BOXES) throw new VideoError('the file has too many boxes');
    const header = await readBytes(file, start, Math.min(MAX_HEADER_BYTES, bytes - start));
    if (start === 0) checkFirst(header);
    const { headerBytes, size, type } = parseHeader(header, bytes - start);
    boxes.push({ type, start, contentStart: start + headerBytes, end: start + size });
    start += size;
  }
  return boxes;
}

function checkFirst(header: Buffer): void {
  const text = header.toString('latin1');
  if (/^(\xef\xbb\xbf)?\s*</.test(text)) throw new VideoError('it is an HTML or XML page');
  if (/^\s*[{[]/.test(text)) throw new VideoError('it is JSON');
  if (text.length >= 8 && !FIRST_TYPES.has(text.slice(4, 8)))
    throw new VideoError('it is a file of another type');
}

/** Fails when the file has become shorter. */
async function readBytes(file: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  for (let done = 0; done < bytes;) {
    const { bytesRead } = await file.read(buffer, done, bytes - done, position + done);
    if (bytesRead === 0) throw new VideoError('the file is shorter than it was');
    done += bytesRead;
  }
  return buffer;
}

function readContent(file: FileHandle, { contentStart, end }: TopBox, maxBytes: number): Promise<Buffer> {
  const bytes = end - contentStart;
  if (bytes > maxBytes) throw new VideoError('its index is too large');
  return readBytes(file, contentStart, bytes);
}

async function readFragments(
  file: FileHandle,
  boxes: readonly TopBox[],
  check: (moof: Buffer, moofAt: number) => void,
): Promise<void> {
  let left = MAX_FRAGMENTS_BYTES;
  for (const box of boxes.filter(({ type }) => type === 'moof')) {
    const moof = await readContent(file, box, Math.min(left, MAX_INDEX_BYTES));
    left -= moof.length;
    check(moof, box.start);
  }
}

/** Verifies the samples of all tracks, and returns the first track with pictures. */
function readTracks(moov: Buffer, fileBytes: number): VideoTrack {
  let video: VideoTrack | null = null;
  for (const { content: trak, type } of childrenOf(moov)) {
    if (type !== 'trak') continue;
    const samples = checkSamples(get(trak, 'mdia', 'minf', 'stbl'), fileBytes);
    // Behind version, flags and four zero bytes: the kind of the track.
    const kind = get(trak, 'mdia', 'hdlr').toString('latin1', 8, 12);
    if (kind === 'vide') video ??= readVideoTrack(trak, samples);
  }
  if (video === null) throw new VideoError('the file has no track with pictures');
  return video;
}

/** Boxes `tkhd`, `mdhd` and `stsd`. The size on the screen stands in `tkhd`, in 1/65,536 of a pixel; rotation is ignored. */
function readVideoTrack(trak: Buffer, samples: number): VideoTrack {
  const tkhd = get(trak, 'tkhd');
  const isLong = tkhd.readUInt8(0) === 1;
  const size = isLong ? 88 : 76;
  const [width, height] = [tkhd.readUInt32BE(size), tkhd.readUInt32BE(size + 4)].map((side) =>
    Math.round(side / 0x10000),
  ) as [number, number];
  const shown = { width, height };
  const { height: y, width: x } = width > 0 && height > 0 ? shown : codedSize(trak);
  if (x === 0 || y === 0) throw new VideoError('its pictures have no size');
  const id = tkhd.readUInt32BE(isLong ? 20 : 12);
  return { id, width: x, height: y, samples, ...readDuration(get(trak, 'mdia', 'mdhd')) };
}

/** The size in the first sample entry: behind version, flags, count, the entry's header, 24 bytes. */
function codedSize(trak: Buffer): { readonly width: number; readonly height: number } {
  const stsd = get(trak, 'mdia', 'minf', 'stbl', 'stsd');
  return { width: stsd.readUInt16BE(8 + 8 + 24), height: stsd.readUInt16BE(8 + 8 + 26) };
}

/** Time scale and duration, which stand alike in `mvhd` and `mdhd`; all bits set say that the duration is not known. */
function readDuration(box: Buffer): { readonly timescale: number; readonly duration: number } {
  const isLong = box.readUInt8(0) === 1;
  const timescale = box.readUInt32BE(isLong ? 20 : 12);
  const duration = isLong ? readUint64(box, 24) : box.readUInt32BE(16);
  const isUnknown = duration >= (isLong ? 2 ** 64 : 2 ** 32 - 1);
  if (timescale === 0) throw new VideoError('the file does not say how long it is');
  return { timescale, duration: isUnknown ? 0 : duration };
}
