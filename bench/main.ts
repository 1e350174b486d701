/** Kineograph beside its peers: `npm run bench -- --help`. */
import { writeFile } from 'node:fs/promises';
import { parseOptions, USAGE } from './options.ts';
import { describeMachine } from './report/machine.ts';
import { report } from './report/report.ts';
import { writeReport } from './report/write-report.ts';
import { runAll } from './run.ts';
import { createWorld } from './subjects/world.ts';
import { minutesSince } from './support/minutes-since.ts';
import { assertEnoughFiles } from './support/open-files.ts';
import { killAll } from './support/processes.ts';

process.on('exit', killAll);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

if (process.argv.includes('--help')) {
  process.stdout.write(USAGE);
  process.exit();
}
// npm changes the directory.
const options = parseOptions(process.argv.slice(2), process.env['INIT_CWD'] ?? process.cwd());
await assertEnoughFiles(options.isQuick ? 3000 : 11_000);
const started = performance.now();
const say = (line: string): void => {
  console.log(line);
};
const world = await createWorld({ revisions: options.isQuick ? 1000 : 10_000 });
try {
  const machine = await describeMachine();
  const samples = await runAll(world, options, say);
  if (options.json !== null) await writeFile(options.json, JSON.stringify({ machine, samples }, null, 2));
  if (options.report !== null) await writeReport(options.report, report(options, machine, samples));
} finally {
  await world.end();
}
say(`\n${minutesSince(started)}`);
