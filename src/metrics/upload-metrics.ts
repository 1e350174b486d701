import { Counter, type Registry } from 'prom-client';
import type { UploadOutcome, UploadPicture } from '../images/upload.ts';

const KINDS: readonly UploadOutcome['kind'][] = ['uploaded', 'unfit', 'refused', 'unavailable'];

/** Counts how uploads end. Returns the same way to upload, watched. */
export function watchUploads(registry: Registry, upload: UploadPicture): UploadPicture {
  const uploads = new Counter({
    name: 'kineograph_uploads_total',
    help: 'Pictures that came whole or were refused on the way, by what became of them: uploaded, known (was there already), unfit, refused (by the provider), unavailable.',
    labelNames: ['outcome'],
    registers: [registry],
  });
  for (const outcome of [...KINDS, 'known']) uploads.labels(outcome).inc(0);
  return async (owner, source) => {
    const outcome = await upload(owner, source);
    const isKnown = outcome.kind === 'uploaded' && !outcome.isNew;
    uploads.labels(isKnown ? 'known' : outcome.kind).inc();
    return outcome;
  };
}
