import { Client } from 'pg';
import { startPostgres, type PostgresServer } from '../../test/support/postgres-server.ts';
import { INPUT } from '../client/documents.ts';
import type { FakeProvider } from './fake-provider.ts';
import { BENCH_KEY, startGateway } from './gateway-process.ts';
import { callbackRequest, makeTasks } from './kineograph-tasks.ts';
import type { Needs, Subject } from './subject.ts';

export interface PostgresKineographs {
  /** So many replicas on a database of their own, with tasks made through the mutation of the first. */
  start(replicas: 1 | 2, needs: Needs): Promise<Subject>;
  end(): Promise<void>;
}

/** Gateways on one PostgreSQL server, which is started when it is needed and keeps what it commits. */
export function createPostgresKineographs(
  directory: string,
  provider: FakeProvider,
  { revisions }: { readonly revisions: number },
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
    async start(replicas, { tasks: wanted }) {
      const env = { DATABASE_URL: await newDatabase(), KIE_API_URL: provider.url };
      const first = await startGateway(directory, env);
      const made = await makeTasks(first.port, provider, { count: wanted, revisions, input: INPUT });
      const others = replicas === 2 ? [await startGateway(directory, env)] : [];
      const all = [first, ...others];
      const { from, paths, tasks, to } = made;
      return {
        name: replicas === 2 ? 'K, PostgreSQL, 2 replicas' : 'K, PostgreSQL',
        startMs: first.startMs,
        ports: all.map(({ port }) => port),
        pids: all.map(({ child }) => child.pid),
        init: { authorization: `Bearer ${BENCH_KEY}` },
        headers: { authorization: `Bearer ${BENCH_KEY}` },
        tasks,
        callback: (task, move) => callbackRequest(paths.get(task.number) ?? '', task.number, move),
        after: (subscriber) => from + (subscriber % (to - from + 1)),
        stop: async () => {
          await Promise.all(all.map(({ child }) => child.kill()));
        },
      };
    },
    async end() {
      await (await server)?.remove();
    },
  };
}
