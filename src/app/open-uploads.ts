import type { Logger } from 'pino';
import { createUploadPicture, type UploadPicture, type UploadStore } from '../images/upload.ts';
import { createKieUpload } from '../providers/kie/uploads.ts';
import type { Clock } from '../tasks/clock.ts';
import type { Cleanup } from './cleanup.ts';
import type { Upstream } from './upstream.ts';
import { USER_AGENT } from './user-agent.ts';

export interface Uploads {
  readonly upload: UploadPicture;
  /** Has those under way answered now: what they send is broken off. */
  close(): Promise<void>;
}

/** What takes pictures in and passes them on. */
export function openUploads(options: {
  readonly log: Logger;
  readonly cleanup: Cleanup;
  readonly uploads: UploadStore;
  readonly upstream: Upstream;
  readonly clock: Clock;
}): Uploads {
  const { cleanup, clock, log, uploads, upstream } = options;
  const { apiKey, proxy, uploadUrl } = upstream;
  const host = createKieUpload({ uploadUrl, apiKey, proxy: proxy.upload, userAgent: USER_AGENT, log });
  cleanup.add(() => host.close());
  return {
    upload: createUploadPicture({ store: uploads, host, now: clock.now, log }),
    close: () => host.close(),
  };
}
