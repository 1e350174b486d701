import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Profile } from '../support/profile.ts';
import { startFakeProvider } from './fake-provider.ts';
import { createPostgresKineographs } from './kineograph-postgres.ts';
import { createKineographs } from './kineograph.ts';
import { startPeer } from './peer.ts';
import type { Needs, Subject, SubjectName } from './subject.ts';

/** Starts whatever is measured, and leaves nothing behind. */
export interface World {
  /** Peers write no profiles. */
  start(name: SubjectName, needs: Needs, profile: Profile | null): Promise<Subject>;
  end(): Promise<void>;
}

/** `revisions`: how many different values of `after` subscribers of the gateway can begin at. */
export async function createWorld({ revisions }: { readonly revisions: number }): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'kineograph-bench-'));
  const provider = await startFakeProvider();
  const kineographs = createKineographs(directory, provider, { revisions });
  const onPostgres = createPostgresKineographs(directory, provider, { revisions });
  return {
    start(name, needs, profile) {
      switch (name) {
        case 'A':
        case 'B':
        case 'C':
        case 'D':
          return startPeer(name, needs);
        case 'K':
          return kineographs.start(needs, profile);
        case 'K, PostgreSQL':
          return onPostgres.start(1, needs, profile);
        case 'K, PostgreSQL, 2 replicas':
          return onPostgres.start(2, needs, profile);
      }
    },
    async end() {
      await onPostgres.end();
      await provider.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
