import { childrenOf, find, get, readUint64 } from './mp4-boxes.ts';
import { checkTable, checkWithin } from './mp4-samples.ts';

/** What samples of a fragment have unless it says otherwise. */
interface SampleDefaults {
  /** In units of the track's time scale. */
  readonly duration: number;
  /** In bytes. */
  readonly size: number;
}

/** Samples of the fragments of one track. */
export interface FragmentedTrack {
  samples: number;
  /** In units of the track's time scale. */
  duration: number;
}

/** What the samples of a run take. */
interface Run extends FragmentedTrack {
  readonly end: number;
}

/** Samples in fragments, by the track's id. */
export type FragmentedTracks = Map<number, FragmentedTrack>;

/**
 * Verifies that the samples of fragments lie within a file of so many bytes (ISO/IEC 14496-12, 8.8), and sums them up in `tracks`.
 * Call the result for each `moof`, with its position in the file.
 */
export function createFragmentCheck(mvex: Buffer, fileBytes: number, tracks: FragmentedTracks) {
  const defaults = new Map<number, SampleDefaults>();
  for (const { content, type } of childrenOf(mvex))
    if (type === 'trex')
      defaults.set(content.readUInt32BE(4), {
        duration: content.readUInt32BE(12),
        size: content.readUInt32BE(16),
      });

  return (moof: Buffer, moofAt: number): void => {
    let end = moofAt;
    for (const { content: traf, type } of childrenOf(moof)) {
      if (type !== 'traf') continue;
      const header = readFragmentHeader(get(traf, 'tfhd'), defaults);
      const track = tracks.get(header.id) ?? { samples: 0, duration: 0 };
      tracks.set(header.id, track);
      const base = header.base ?? (header.isBaseMoof ? moofAt : end);
      end = base;
      for (const { content: trun, type: kind } of childrenOf(traf)) {
        if (kind !== 'trun') continue;
        const run = readRun(trun, base, end, header);
        checkWithin(run.end, fileBytes);
        track.samples += run.samples;
        track.duration += run.duration;
        end = run.end;
      }
    }
  };
}

/** The box `tfhd`: what its flags announce follows in this order. */
function readFragmentHeader(tfhd: Buffer, defaults: ReadonlyMap<number, SampleDefaults>) {
  const flags = tfhd.readUInt32BE(0);
  const id = tfhd.readUInt32BE(4);
  const known = defaults.get(id);
  let position = 8;
  const skip = (bytes: number): number => (position += bytes) - bytes;
  const base = flags & 0x1 ? readUint64(tfhd, skip(8)) : null;
  if (flags & 0x2) skip(4);
  const duration = flags & 0x8 ? tfhd.readUInt32BE(skip(4)) : (known?.duration ?? 0);
  const size = flags & 0x10 ? tfhd.readUInt32BE(skip(4)) : (known?.size ?? 0);
  return { id, base, duration, size, isBaseMoof: (flags & 0x20000) !== 0 };
}

/** The box `trun`: a run of samples without gaps, behind the previous run unless it has an offset. */
function readRun(trun: Buffer, base: number, previousEnd: number, defaults: SampleDefaults): Run {
  const flags = trun.readUInt32BE(0);
  const samples = trun.readUInt32BE(4);
  const hasOffset = (flags & 0x1) !== 0;
  const table = 8 + (hasOffset ? 4 : 0) + (flags & 0x4 ? 4 : 0);
  const fields = [0x100, 0x200, 0x400, 0x800].filter((flag) => flags & flag);
  const entryBytes = 4 * fields.length;
  checkTable(trun, table, samples, entryBytes);
  const sum = (field: number, each: number): number => {
    const place = fields.indexOf(field);
    if (place < 0) return each * samples;
    let total = 0;
    for (let sample = 0; sample < samples; sample += 1)
      total += trun.readUInt32BE(table + sample * entryBytes + 4 * place);
    return total;
  };
  const start = hasOffset ? base + trun.readInt32BE(8) : previousEnd;
  return {
    samples,
    duration: sum(0x100, defaults.duration),
    end: start + sum(0x200, defaults.size),
  };
}

/** The duration in `mehd`, in units of the movie's time scale; 0 if the file does not say. */
export function announcedDuration(mvex: Buffer): number {
  const mehd = find(mvex, 'mehd');
  if (mehd === null) return 0;
  return mehd.readUInt8(0) === 1 ? readUint64(mehd, 4) : mehd.readUInt32BE(4);
}
