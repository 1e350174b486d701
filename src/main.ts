#!/usr/bin/env node
// Imports nothing before the check: an older Node.js would fail at the first import that it lacks, in words that help nobody.
const { node } = process.versions;
const [major = 0, minor = 0] = node.split('.').map(Number);
if (major > 20 || (major === 20 && minor >= 19)) {
  const { runProgram } = await import('./cli/program.ts');
  await runProgram(process.argv.slice(2), process);
} else {
  process.stderr.write(
    `kineograph: needs Node.js 20.19 or newer, and this is ${node}. Install a newer one (https://nodejs.org/en/download), or build the container image (docs/deployment.md).\n`,
  );
  process.exitCode = 1;
}
