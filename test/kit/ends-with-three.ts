import { loadEmbeddedPostgres } from './postgres-server.ts';

await loadEmbeddedPostgres();
process.exitCode = 3;
