import type { Options } from '../options.ts';
import type { Sample } from '../run.ts';
import { TITLES } from '../subjects/subject.ts';
import { isPinned } from '../support/processes.ts';
import { table } from './format.ts';
import { goalsSection } from './goals-section.ts';
import type { Machine } from './machine.ts';
import { scenarioSection } from './scenario-section.ts';

/** docs/performance.md. */
export function report({ rounds, scenarios }: Options, machine: Machine, samples: readonly Sample[]): string {
  return (
    [
      '# Performance',
      'Kineograph beside what else one would build such a gateway on, measured on one machine in one run. This page is written by `npm run bench`; `npm run bench -- --help` shows how to run parts of it.',
      subjects(),
      '## What was promised',
      'A ratio is the median of the ratios within each round. Rows in which a peer is ahead are not left out.',
      goalsSection(samples),
      '## How it was measured',
      conditions(machine, rounds),
      DIFFERENCES,
      '## The figures',
      `Medians of ${rounds} rounds. "Cores" are the processor time that server and client used: where the client comes near 1, it is the limit. "Twice" counts what a subscriber got a second time.`,
      ...scenarios.map((scenario) => scenarioSection(scenario, samples)),
      '',
    ]
      .join('\n\n')
      .trimEnd() + '\n'
  );
}

function subjects(): string {
  return table(
    ['', 'what'],
    Object.entries(TITLES).map(([name, title]) => [name, title]),
  );
}

function conditions({ date, hardware, loadBefore, node, versions }: Machine, rounds: number): string {
  const pinned = isPinned
    ? 'servers on one core, client, fake provider and database on the other'
    : 'no process is bound to a core';
  return [
    `- ${date}, ${hardware}, Node.js ${node.slice(1)}; load before the run ${loadBefore.toFixed(1)}`,
    `- ${versions.join(', ')}; Kineograph as \`npm run build\` makes it`,
    `- every server is a process of its own on 127.0.0.1, started anew for each measurement; ${pinned}`,
    `- ${rounds} alternating rounds: A, B, C, D, K, A, B, …`,
    '- one client for all: bare TCP connections and a parser of its own for frames, which reads the number and state of the task out of every message; deliveries are counted for each subscriber and task, and a measurement ends when every one has come',
    '- all send the same selection of fields, about 592 bytes a message, and take the same bodies for callbacks',
  ].join('\n');
}

const DIFFERENCES = `What is not the same, mostly to the disadvantage of Kineograph:

- Peers keep tasks in a map. Kineograph has them on disk (SQLite, \`synchronous=FULL\`) before it answers a callback or mutation, checks the owner of each task, the token and signature of each callback and the limits of each operation, and writes a line of log for each request.
- Its tasks are made through its mutation, before the clock runs, and each gateway starts on a copy of the data directory that this left. Peers make theirs when they start.
- Its settings are the defaults but for these: \`KIE_API_URL\` and \`KIE_API_KEY\` lead to a fake provider; \`KIE_CREATES_PER_10S=10000\`, since the real provider's limit of 20 would make setting up take hours; \`ARCHIVE=off\`, unless the copying of videos is what is measured; \`PUBLIC_URL\` and \`KIE_WEBHOOK_HMAC_KEYS\`, so that callbacks come and are signed; \`API_KEYS\` with two owners: tasks of the second one take revisions, so that each subscriber of the first can begin at another \`after\` and has nothing to catch up on.`;
