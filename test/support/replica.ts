import { setTimeout as delay } from 'node:timers/promises';
import { quickDir } from './gateway.ts';
import { startBuilt, type BuiltGateway } from './process.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';
import { named } from './waits.ts';

/** A gateway as one of several on a PostgreSQL database, which it reaches through a network of its own. */
export interface Replica extends BuiltGateway {
  readonly name: string;
  readonly network: TcpProxy;
}

export interface ReplicaOptions {
  readonly databaseUrl: string;
  readonly env: Readonly<Record<string, string>>;
}

/** `name` becomes its key for the provider, by which that can tell who asks. */
export async function startReplica(name: string, { databaseUrl, env }: ReplicaOptions): Promise<Replica> {
  const url = new URL(databaseUrl);
  const network = await startTcpProxy(Number(url.port));
  url.host = `127.0.0.1:${network.port}`;
  const gateway = await startBuilt({
    DATABASE_URL: url.href,
    DATA_DIR: await quickDir(),
    KIE_API_KEY: name,
    ...env,
  });
  return { ...gateway, name, network };
}

/** Fulfilled with the answer of /ready once its status is this one. */
export function readiness({ name, url }: Replica, status: 200 | 503): Promise<Response> {
  return named(`${name} answering ${status} at /ready`, ask());

  async function ask(): Promise<Response> {
    for (;;) {
      const response = await fetch(`${url}/ready`);
      if (response.status === status) return response;
      await delay(100);
    }
  }
}
