import { buildSchema, findBreakingChanges, findDangerousChanges } from 'graphql';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mayBreak, newest, parseVersion, type Version } from './versions.ts';

export interface Comparison {
  /** Nothing breaks, or the version says that something does. */
  readonly isAllowed: boolean;
  /** For people, without a newline at the end. */
  readonly report: string;
}

/**
 * Compares schema.graphql in a directory with that of the newest tag `vX.Y.Z` of its git repository. Without such a tag, as
 * before the first release and in a shallow clone, there is nothing to compare with, which is allowed.
 */
export function compareWithRelease(directory: string): Comparison {
  const tag = newest(tagsIn(directory));
  if (tag === null)
    return {
      isAllowed: true,
      report: 'There is no tag of a release (vX.Y.Z) here: nothing to compare the schema with.',
    };
  const read = (file: string): string => readFileSync(join(directory, file), 'utf8');
  const before = buildSchema(git(directory, 'show', `${tag.name}:schema.graphql`));
  const now = buildSchema(read('schema.graphql'));
  const breaking = findBreakingChanges(before, now).map(({ description }) => description);
  const dangerous = findDangerousChanges(before, now).map(({ description }) => description);
  const { version } = JSON.parse(read('package.json')) as { readonly version: string };
  const isAllowed = breaking.length === 0 || mayBreak(tag, parseVersion(version));
  const report = [
    ...list(`Since ${tag.name} these changes of the schema break clients:`, breaking),
    ...list(`Since ${tag.name} these changes of the schema may surprise clients:`, dangerous),
    breaking.length + dangerous.length === 0
      ? `Since ${tag.name} no change of the schema breaks a client.`
      : '',
    isAllowed ? '' : advice(tag, version),
  ];
  return { isAllowed, report: report.filter((line) => line !== '').join('\n') };
}

function list(title: string, changes: readonly string[]): readonly string[] {
  return changes.length === 0 ? [] : [title, ...changes.map((change) => `  - ${change}`)];
}

function advice({ major, minor, name }: Version, version: string): string {
  const next = major === 0 ? `0.${minor + 1}.0` : `${major + 1}.0.0`;
  return `The version in package.json, ${version}, does not say so after ${name}. Take them back, or make it ${next} and say in CHANGELOG.md what clients have to do.`;
}

/** None where there is no repository. */
function tagsIn(directory: string): readonly string[] {
  try {
    return git(directory, 'tag', '--list', 'v*').split('\n');
  } catch {
    return [];
  }
}

function git(directory: string, ...args: readonly string[]): string {
  return execFileSync('git', args, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
