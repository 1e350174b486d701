import { readFileSync } from 'node:fs';

/** The same SDL for all who take one. */
export const contract = readFileSync('test/schema/contract.graphql', 'utf8');
