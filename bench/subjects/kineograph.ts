import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { INPUT } from '../client/documents.ts';
import type { Profile } from '../support/profile.ts';
import type { FakeProvider } from './fake-provider.ts';
import { startGateway } from './gateway-process.ts';
import { gatewaySubject } from './gateway-subject.ts';
import { makeTasks, type KineographTasks } from './kineograph-tasks.ts';
import type { Needs, Subject } from './subject.ts';
import { startVideoServer } from './video-server.ts';

export interface Kineographs {
  start(needs: Needs, profile: Profile | null): Promise<Subject>;
}

const NOTHING: KineographTasks = { tasks: [], strangers: [], paths: new Map(), from: 0, to: 0 };

/**
 * Gateways on the embedded store. Tasks are made once through the mutation for each kind of need; each gateway starts on a
 * copy of the data directory that this left behind.
 */
export function createKineographs(
  directory: string,
  provider: FakeProvider,
  { revisions }: { readonly revisions: number },
): Kineographs {
  interface Template extends KineographTasks {
    readonly dataDir: string;
  }
  const templates = new Map<string, Promise<Template>>();
  let videos: ReturnType<typeof startVideoServer> | null = null;
  let count = 0;

  async function newDir(kind: string): Promise<string> {
    count += 1;
    const path = join(directory, `${kind}-${count}`);
    await mkdir(path);
    return path;
  }

  async function makeTemplate(needs: Needs): Promise<Template> {
    const dataDir = await newDir('template');
    const { child, port } = await startGateway(directory, { DATA_DIR: dataDir, KIE_API_URL: provider.url });
    const input = { ...INPUT, ...(needs.prompt !== undefined && { prompt: needs.prompt }) };
    const made = await makeTasks(port, provider, {
      count: needs.tasks,
      strangers: needs.strangers ?? 0,
      revisions: needs.revisions ?? revisions,
      input,
    });
    await child.kill('SIGTERM');
    return { ...made, dataDir };
  }

  function template(needs: Needs): Promise<Template> {
    const key = JSON.stringify(needs);
    const known = templates.get(key) ?? makeTemplate(needs);
    templates.set(key, known);
    return known;
  }

  async function dataDir(needs: Needs): Promise<string> {
    const path = await newDir('data');
    if (needs.tasks > 0) await cp((await template(needs)).dataDir, path, { recursive: true });
    return path;
  }

  return {
    async start(needs, profile) {
      const made = needs.tasks > 0 ? await template(needs) : NOTHING;
      const copies = needs.copies === true ? await (videos ??= startVideoServer(directory)) : {};
      const env = { DATA_DIR: await dataDir(needs), KIE_API_URL: provider.url, ...copies };
      return gatewaySubject('K', [await startGateway(directory, env, profile)], made);
    },
  };
}
