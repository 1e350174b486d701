import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// Vitest would load graphql's ES build for our code while packages load the CommonJS one, as Node does for both: two
// copies, neither of which knows the other's errors and types.
const graphql = createRequire(import.meta.url).resolve('graphql');

export default defineConfig({
  resolve: { alias: [{ find: /^graphql$/, replacement: graphql }] },
  test: {
    // Vitest leaves one core to itself, and starts no more files at a time than there are cores when it is told a
    // percentage; most of these tests wait for sockets, disks and databases.
    maxWorkers: availableParallelism() + 1,
    projects: [
      {
        extends: true,
        test: {
          name: 'test',
          include: ['test/**/*.test.ts'],
          exclude: ['test/system/**'],
          globalSetup: ['test/kit/postgres-server.ts'],
          setupFiles: ['test/kit/setup.ts'],
          // Loading the gateway anew for each file would take longer than its tests.
          isolate: false,
          // A bound for what hangs, not a measure: on a busy machine everything takes longer.
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          // Its tests measure delays of real processes, so they share the cores with no more than that.
          maxWorkers: '100%',
          include: ['test/system/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          // Loading the clients anew for each file would take a minute in sum.
          isolate: false,
          globalSetup: ['test/kit/postgres-server.ts'],
          setupFiles: ['test/kit/setup.ts'],
        },
      },
    ],
  },
});
