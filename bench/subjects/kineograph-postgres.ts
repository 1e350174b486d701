import { Client } from 'pg';
import { startPostgres, type PostgresServer } from '../../test/kit/postgres-server.ts';
import { INPUT } from '../client/documents.ts';
import type { Profile } from '../support/profile.ts';
import type { FakeProvider } from './fake-provider.ts';
import { startGateway } from './gateway-process.ts';
import { gatewaySubject } from './gateway-subject.ts';
import { makeTasks } from './kineograph-tasks.ts';
import type { Needs, Subject } from './subject.ts';

export interface PostgresKineographs {
  /** So many replicas on a database of their own, with tasks made through the mutation of the first. */
  start(replicas: 1 | 2, needs: Needs, profile: Profile | null): Promise<Subject>;
  end(): Promise<void>;
}

/** Gateways on one PostgreSQL server, which is started when it is needed and keeps what it commits. */
export function createPostgresKineographs(
  directory: string,
  provider: FakeProvider,
  options: { readonly revisions: number },
): PostgresKineographs {
  let server: Promise<PostgresServer> | null = null;
  let count = 0;

  async function newDatabase(): Promise<string> {
    server ??= startPostgres({ isDurable: true });
    const { url } = await server;
    count += 1;
    const name = `bench_${count}`;
    const client = new Client(url);
    await client.connect();
    await client.query(`create database ${name}`);
    await client.end();
    return url.replace(/\/postgres$/, `/${name}`);
  }

  return {
    async start(replicas, { revisions = options.revisions, strangers = 0, tasks: count }, profile) {
      const env = { DATABASE_URL: await newDatabase(), KIE_API_URL: provider.url };
      const first = await startGateway(directory, env, profile);
      const made = await makeTasks(first.port, provider, { count, strangers, revisions, input: INPUT });
      if (replicas === 1) return gatewaySubject('K, PostgreSQL', [first], made);
      const second = await startGateway(
        directory,
        env,
        profile && { ...profile, name: `${profile.name}-second` },
      );
      return gatewaySubject('K, PostgreSQL, 2 replicas', [first, second], made);
    },
    async end() {
      await (await server)?.remove();
    },
  };
}
