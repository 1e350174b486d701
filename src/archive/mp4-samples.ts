import { find, get, readUint64, VideoError } from './mp4-boxes.ts';

/** Sizes of the samples of a track, in bytes. */
interface SampleSizes {
  readonly count: number;
  /** The size of all samples; null if each has its own. */
  readonly common: number | null;
  sizeOf(sample: number): number;
}

/** Where the chunks of a track lie in the file. */
interface ChunkOffsets {
  readonly count: number;
  offsetOf(chunk: number): number;
}

/** Version and flags begin each of these boxes. */
const FULL_BOX_BYTES = 4;

/**
 * Verifies that every sample of a track lies within a file of so many bytes, by the tables in its `stbl` (ISO/IEC 14496-12,
 * 8.7: stsz or stz2, stsc, stco or co64). Takes time in proportion to the tables. Returns how many samples there are.
 */
export function checkSamples(stbl: Buffer, fileBytes: number): number {
  const sizes = readSizes(stbl);
  const chunks = readOffsets(stbl);
  const samplesPerChunk = readSamplesPerChunk(get(stbl, 'stsc'));
  let sample = 0;
  for (let chunk = 0; chunk < chunks.count && sample < sizes.count; chunk += 1) {
    const samples = Math.min(samplesPerChunk(chunk), sizes.count - sample);
    checkWithin(chunks.offsetOf(chunk) + bytesOf(sizes, sample, samples), fileBytes);
    sample += samples;
  }
  if (sample < sizes.count) throw new VideoError('the file does not say where all samples are');
  return sizes.count;
}

/** Throws unless media data that ends before `end` lies within the file. */
export function checkWithin(end: number, fileBytes: number): void {
  if (end > fileBytes)
    throw new VideoError(`the file is cut: it has ${fileBytes} bytes, and its samples take ${end}`);
}

/** Throws unless a table of so many entries lies within its box. */
export function checkTable(box: Buffer, offset: number, count: number, entryBytes: number): void {
  if (offset + count * entryBytes > box.length)
    throw new VideoError('a table of the file has more entries than its box holds');
}

function bytesOf({ common, sizeOf }: SampleSizes, first: number, count: number): number {
  if (common !== null) return common * count;
  let bytes = 0;
  for (let sample = first; sample < first + count; sample += 1) bytes += sizeOf(sample);
  return bytes;
}

function readSizes(stbl: Buffer): SampleSizes {
  const stsz = find(stbl, 'stsz');
  return stsz === null ? readCompactSizes(get(stbl, 'stz2')) : readPlainSizes(stsz);
}

function readPlainSizes(stsz: Buffer): SampleSizes {
  const common = stsz.readUInt32BE(FULL_BOX_BYTES);
  const count = stsz.readUInt32BE(FULL_BOX_BYTES + 4);
  const table = FULL_BOX_BYTES + 8;
  // No table then: the count needs no room.
  if (common !== 0) return { count, common, sizeOf: () => common };
  checkTable(stsz, table, count, 4);
  return { count, common: null, sizeOf: (sample) => stsz.readUInt32BE(table + 4 * sample) };
}

/** Entries of 4, 8 or 16 bits. */
function readCompactSizes(stz2: Buffer): SampleSizes {
  const bits = stz2.readUInt8(FULL_BOX_BYTES + 3);
  const count = stz2.readUInt32BE(FULL_BOX_BYTES + 4);
  const table = FULL_BOX_BYTES + 8;
  if (bits !== 4 && bits !== 8 && bits !== 16)
    throw new VideoError('a table of the file has entries of an unknown size');
  checkTable(stz2, table, Math.ceil((count * bits) / 8), 1);
  const sizeOf = (sample: number): number => {
    if (bits === 16) return stz2.readUInt16BE(table + 2 * sample);
    if (bits === 8) return stz2.readUInt8(table + sample);
    const pair = stz2.readUInt8(table + (sample >> 1));
    return sample % 2 === 0 ? pair >> 4 : pair & 0x0f;
  };
  return { count, common: null, sizeOf };
}

function readOffsets(stbl: Buffer): ChunkOffsets {
  const stco = find(stbl, 'stco');
  const box = stco ?? get(stbl, 'co64');
  const entryBytes = stco === null ? 8 : 4;
  const count = box.readUInt32BE(FULL_BOX_BYTES);
  const table = FULL_BOX_BYTES + 4;
  checkTable(box, table, count, entryBytes);
  const offsetOf = (chunk: number): number =>
    stco === null ? readUint64(box, table + 8 * chunk) : stco.readUInt32BE(table + 4 * chunk);
  return { count, offsetOf };
}

/** An entry holds from its first chunk, counted from 1, to that of the next entry. Chunks must be asked for in order. */
function readSamplesPerChunk(stsc: Buffer): (chunk: number) => number {
  const ENTRY_BYTES = 12;
  const count = stsc.readUInt32BE(FULL_BOX_BYTES);
  const table = FULL_BOX_BYTES + 4;
  checkTable(stsc, table, count, ENTRY_BYTES);
  const firstChunkOf = (entry: number): number => stsc.readUInt32BE(table + ENTRY_BYTES * entry);
  let next = 0;
  let samples = 0;
  return (chunk) => {
    for (; next < count && firstChunkOf(next) <= chunk + 1; next += 1)
      samples = stsc.readUInt32BE(table + ENTRY_BYTES * next + 4);
    return samples;
  };
}
