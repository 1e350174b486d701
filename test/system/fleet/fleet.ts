import { setTimeout as delay } from 'node:timers/promises';
import { type ApiTask, CREATE, input } from '../../kit/documents.ts';
import { startBalancer } from '../../kit/http-proxy.ts';
import { HMAC_KEY, startReplica, type Replica } from '../../kit/gateway.ts';
import { graphql } from '../../kit/graphql.ts';
import type { ProcessExit } from '../../kit/process.ts';

/** Replicas that come and go, behind an address that stays. */
export interface Fleet {
  /** Those that live, in the order in which they were started. */
  readonly replicas: readonly Replica[];
  /** The origin of one of them. */
  pick(): string;
  /** Starts one more. */
  add(name: string): Promise<Replica>;
  /** Sends no more clients there, then signals it. */
  end(replica: Replica, signal: 'SIGKILL' | 'SIGTERM'): Promise<ProcessExit>;
  /** Asks again and again, any replica, until one answers; fulfilled with the task. */
  create(key: string, prompt: string): Promise<ApiTask>;
  /** How many requests had to be repeated, by what became of them. */
  readonly repetitions: ReadonlyMap<string, number>;
}

export interface FleetOptions {
  readonly databaseUrl: string;
  readonly providerUrl: string;
  readonly random: () => number;
  readonly env: Readonly<Record<string, string>>;
}

export async function startFleet({ databaseUrl, env, providerUrl, random }: FleetOptions): Promise<Fleet> {
  const replicas: Replica[] = [];
  const repetitions = new Map<string, number>();
  const pick = (): string => {
    const replica = replicas[Math.floor(random() * replicas.length)];
    if (!replica) throw new Error('no replica lives');
    return replica.url;
  };
  const { url: publicUrl } = await startBalancer(pick);
  const common = {
    KIE_API_URL: providerUrl,
    KIE_WEBHOOK_HMAC_KEYS: HMAC_KEY,
    PUBLIC_URL: publicUrl,
    ...env,
  };

  function noteRepetition(why: string): void {
    repetitions.set(why, (repetitions.get(why) ?? 0) + 1);
  }

  async function tryToCreate(key: string, prompt: string): Promise<ApiTask | null> {
    const headers = { authorization: `Bearer ${key}` };
    const variables = { input: input({ prompt, idempotencyKey: prompt }) };
    const { body } = await graphql(`${pick()}/graphql`, CREATE, variables, headers);
    const result = body.data?.createImageToVideo;
    if (result?.__typename === 'CreateImageToVideoSuccess') return result.task;
    const code = body.errors?.[0]?.extensions?.['code'];
    if (code !== 'SERVICE_UNAVAILABLE') throw new Error(`${prompt}: ${JSON.stringify(body)}`);
    noteRepetition(code);
    return null;
  }

  return {
    replicas,
    pick,
    repetitions,
    async add(name) {
      const replica = await startReplica(name, { databaseUrl, env: common });
      replicas.push(replica);
      return replica;
    },
    end(replica, signal) {
      replicas.splice(replicas.indexOf(replica), 1);
      replica.signal(signal);
      return replica.exited;
    },
    async create(key, prompt) {
      for (;;) {
        const task = await tryToCreate(key, prompt).catch((error: unknown) => {
          // What fetch throws when the connection was refused or broke; anything else is no outage.
          if (!(error instanceof TypeError)) throw error;
          noteRepetition('no answer');
          return null;
        });
        if (task) return task;
        await delay(100);
      }
    },
  };
}
