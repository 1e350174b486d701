import { startPostgres } from './postgres-server.ts';

// What a run of tests does: a server for them, and an exit code that says what they came to.
const server = await startPostgres();
process.exitCode = 3;
await server.remove();
