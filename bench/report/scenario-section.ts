import type { Sample } from '../run.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import type { SubjectName } from '../subjects/subject.ts';
import { shown, table } from './format.ts';
import { figuresOf, ratioOf, spreadOf } from './summary.ts';

/** Beside the figure itself, what else was measured; CPU tells whether the client was the limit. */
export function scenarioSection(scenario: Scenario, samples: readonly Sample[]): string {
  const own = samples.filter((sample) => sample.scenario === scenario.name);
  const labels = [...new Set(own.map(({ label }) => label))];
  const parts = labels.map((label) => [label === '' ? '' : `**${label}**`, tableOf(scenario, own, label)]);
  return [`### ${scenario.title}`, scenario.notes, ...parts.flat()]
    .filter((part) => part !== '')
    .join('\n\n');
}

function tableOf(scenario: Scenario, own: readonly Sample[], label: string): string {
  const samples = own.filter((sample) => sample.label === label);
  const subjects = [...new Set(samples.map(({ subject }) => subject))];
  const others = [...new Set(samples.flatMap(({ figures }) => Object.keys(figures ?? {})))].filter(
    (figure) => figure !== scenario.figure,
  );
  const ratioTo = subjects.filter((subject) => subject === 'A' || subject === 'D');
  const head = ['', scenario.figure, 'min to max', ...ratioTo.map((name) => `× ${name}`), ...others];
  const rows = subjects.map((subject) => [
    subject,
    ...cellsOf(scenario, samples, subject),
    ...ratioTo.map((other) => ratio(scenario, samples, subject, other)),
    ...others.map((figure) => middle(scenario, samples, subject, figure)),
  ]);
  return [table(head, rows), ...troubles(samples)].join('\n\n');
}

function cellsOf({ figure, name }: Scenario, samples: readonly Sample[], subject: SubjectName): string[] {
  const spread = spreadOf(figuresOf(samples, { scenario: name, figure }, subject).values());
  return spread
    ? [shown(spread.median), `${shown(spread.min)} to ${shown(spread.max)}`]
    : ['did not finish', ''];
}

function middle(
  { name }: Scenario,
  samples: readonly Sample[],
  subject: SubjectName,
  figure: string,
): string {
  const spread = spreadOf(figuresOf(samples, { scenario: name, figure }, subject).values());
  return spread ? shown(spread.median) : '';
}

function ratio(
  { figure, name }: Scenario,
  samples: readonly Sample[],
  one: SubjectName,
  other: SubjectName,
): string {
  const value = ratioOf(samples, { scenario: name, figure }, one, other);
  return value === null ? '' : value.toFixed(2);
}

function troubles(samples: readonly Sample[]): string[] {
  const failed = samples.filter(({ trouble }) => trouble !== null);
  const lines = failed.map(
    ({ round, subject, trouble }) => `- ${subject}, round ${round}: ${(trouble ?? '').split('\n')[0] ?? ''}`,
  );
  return lines.length === 0 ? [] : [lines.join('\n')];
}
