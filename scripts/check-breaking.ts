// Compares schema.graphql with that of the last release; fails when something breaks and the version does not say so.
import { fileURLToPath } from 'node:url';
import { compareWithRelease } from './releases/compare-with-release.ts';

const { isAllowed, report } = compareWithRelease(fileURLToPath(new URL('..', import.meta.url)));

if (isAllowed) console.log(report);
else {
  console.error(report);
  process.exitCode = 1;
}
