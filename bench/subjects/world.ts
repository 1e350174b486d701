import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFakeProvider } from './fake-provider.ts';
import { createKineographs, type Kineographs } from './kineograph.ts';
import { startPeer } from './peer.ts';
import type { Needs, Subject, SubjectName } from './subject.ts';

/** Starts whatever is measured, and leaves nothing behind. */
export interface World {
  readonly kineographs: Kineographs;
  start(name: SubjectName, needs: Needs): Promise<Subject>;
  end(): Promise<void>;
}

/** `revisions`: how many different values of `after` subscribers of the gateway can begin at. */
export async function createWorld({ revisions }: { readonly revisions: number }): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'kineograph-bench-'));
  const provider = await startFakeProvider();
  const kineographs = createKineographs(directory, provider, { revisions });
  return {
    kineographs,
    start(name, needs) {
      switch (name) {
        case 'A':
        case 'B':
        case 'C':
        case 'D':
          return startPeer(name, needs);
        case 'K':
          return kineographs.start(needs);
        default:
          throw new Error(`${name} is not there yet`);
      }
    },
    async end() {
      await provider.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
