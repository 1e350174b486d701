import { createRequire } from 'node:module';
import { vi } from 'vitest';

/*
 * To be imported first. Vitest loads graphql's ES build for our code while packages load the CommonJS one, as Node does
 * for both: two copies, neither of which knows the other's errors and types. This gives our code the packages' copy.
 */
vi.mock('graphql', () => createRequire(import.meta.url)('graphql') as object);
