import { randomBytes } from 'node:crypto';
import { box } from './images.ts';
import { realVideo, u32 } from './video-file.ts';

const SAMPLES = 180;
const HALF = SAMPLES / 2;

/**
 * The sandbox's video in two halves with so many other bytes between them: whoever seeks in it asks for the second half
 * by its place, since reading on would take too long.
 */
export function gappedVideo(gap: number): Buffer {
  const video = realVideo();
  const [mediaAt, indexAt] = [startOf(video, 'mdat'), startOf(video, 'moov')];
  const type = video.subarray(0, indexAt);
  const index = Buffer.from(video.subarray(indexAt, indexAt + video.readUInt32BE(indexAt)));
  const media = video.subarray(mediaAt + 8);
  const sizesAt = startOf(index, 'stsz') + 20;
  let half = 0;
  for (let sample = 0; sample < HALF; sample += 1) half += index.readUInt32BE(sizesAt + 4 * sample);

  const first = type.length + 8;
  const chunks = box('stsc', ...[0, 2, 1, HALF, 1, 2, HALF, 1].map(u32));
  const offsets = box('stco', ...[0, 2, first, first + half + gap].map(u32));
  const [chunksAt, offsetsAt] = [startOf(index, 'stsc'), startOf(index, 'stco')];
  const [chunksEnd, offsetsEnd] = [chunksAt, offsetsAt].map((at) => at + index.readUInt32BE(at));
  const more = chunks.length + offsets.length - ((chunksEnd ?? 0) - chunksAt + (offsetsEnd ?? 0) - offsetsAt);
  for (const name of ['moov', 'trak', 'mdia', 'minf', 'stbl']) {
    const at = startOf(index, name);
    index.writeUInt32BE(index.readUInt32BE(at) + more, at);
  }
  return Buffer.concat([
    type,
    box('mdat', media.subarray(0, half), Buffer.alloc(gap, randomBytes(4096)), media.subarray(half)),
    index.subarray(0, chunksAt),
    chunks,
    index.subarray(chunksEnd, offsetsAt),
    offsets,
    index.subarray(offsetsEnd),
  ]);
}

/** Where the first box of a type begins. */
function startOf(bytes: Buffer, type: string): number {
  return bytes.indexOf(type) - 4;
}
