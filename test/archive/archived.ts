import { TASKS_UPDATED } from '../kit/documents.ts';
import type { AppOptions } from '../../src/app/create-app.ts';
import { HMAC_KEY, type Gateway } from '../kit/gateway.ts';
import { dataOf, graphql, type Document } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { callbackSuccess, deliverCallback, resultJson, sign } from '../kit/kie.ts';
import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { startWithProvider, takeTask } from '../webhooks/called-back.ts';

/** What clients see of a video. */
export interface ApiVideo {
  readonly url: string;
  readonly expiresAt: string | null;
  readonly sourceUrl: string;
  readonly archive: {
    readonly state: 'OFF' | 'PENDING' | 'STORED' | 'LOST' | 'DELETED';
    readonly bytes: number | null;
    readonly sha256: string | null;
    readonly width: number | null;
    readonly message: string | null;
  };
}

export interface ArchivedTask {
  readonly state: string;
  readonly revision: number;
  readonly videos: readonly ApiVideo[];
}

/** A task's videos and their copies. */
export const VIDEOS: Document<{ readonly task: ArchivedTask | null }> = /* GraphQL */ `
  query ($id: ID!) {
    task(id: $id) {
      state
      revision
      videos {
        url
        expiresAt
        sourceUrl
        archive {
          state
          bytes
          sha256
          width
          message
        }
      }
    }
  }
`;

/** No pauses, so that what is due happens at once. */
const EAGER = { firstRetry: 1, longestRetry: 1, storagePause: 1, look: 10 };

interface Scene {
  readonly provider: FakeProvider;
  readonly gateway: Gateway;
  /** A task that succeeds with these videos, by their paths at the provider. */
  succeed(...paths: readonly string[]): Promise<string>;
  /** The task, once its first video is in a state. */
  reaches(
    id: string,
    state: ApiVideo['archive']['state'],
  ): Promise<ArchivedTask & { readonly video: ApiVideo }>;
  /** A request for a video at the gateway's own address. */
  get(video: ApiVideo, init?: RequestInit, query?: string): Promise<Response>;
}

/** A gateway that keeps copies, with a provider that the test scripts. */
export async function startArchive(
  env: Readonly<Record<string, string>> = {},
  overrides: NonNullable<AppOptions['overrides']> = {},
  dataDir?: string,
): Promise<Scene> {
  const provider = await startFakeProvider();
  const { gateway } = await startWithProvider({
    provider,
    env: { ARCHIVE: 'disk', ...env },
    overrides: {
      ...overrides,
      timings: { idleLook: 10, clockDoubt: 0, ...overrides.timings },
      archiveTimings: { ...EAGER, ...overrides.archiveTimings },
    },
    ...(dataDir !== undefined && { dataDir }),
  });
  const socket = await openGraphqlWs(gateway.graphqlUrl);
  const changes = socket.subscribe({ query: TASKS_UPDATED });
  let count = 0;

  const read = async (id: string): Promise<ArchivedTask> => {
    const { task } = dataOf((await graphql(gateway.graphqlUrl, VIDEOS, { id })).body);
    if (!task) throw new Error(`there is no task ${id}`);
    return task;
  };
  return {
    provider,
    gateway,
    async succeed(...paths) {
      const name = `kie-${(count += 1)}`;
      const { callback, task } = await takeTask({ gateway, provider }, name);
      const urls = paths.map((path) => `${provider.url}/results/${path}`);
      const body = callbackSuccess(name, { resultJson: resultJson(...urls) });
      await deliverCallback(callback, body, sign(HMAC_KEY, name));
      return task.id;
    },
    async reaches(id, state) {
      for (;;) {
        const task = await read(id);
        const [video] = task.videos;
        if (video?.archive.state === state) return { ...task, video };
        await changes.data();
      }
    },
    get: ({ url }, init, query = '') =>
      fetch(gateway.url + new URL(url).pathname + query, { redirect: 'manual', ...init }),
  };
}
