import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compareWithRelease } from '../../scripts/releases/compare-with-release.ts';
import { newest } from '../../scripts/releases/versions.ts';
import { temporaryDir } from '../kit/gateway.ts';

const RELEASED =
  'enum State { OPEN DONE }\ntype Query { task(id: ID!): String, tasks: [String!]!, state: State }\n';
const WITHOUT_TASKS = RELEASED.replace(', tasks: [String!]!', '');
const WITH_STATE = RELEASED.replace('DONE', 'DONE GONE');

/** A repository in which a version was released, unless `tag` is null, and gone on from. */
async function repository(tag: string | null, schema: string, version: string): Promise<string> {
  const directory = await temporaryDir();
  const git = (...args: string[]): Buffer =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b.example', ...args], { cwd: directory });
  const write = (sdl: string, number: string): void => {
    writeFileSync(join(directory, 'schema.graphql'), sdl);
    writeFileSync(join(directory, 'package.json'), JSON.stringify({ version: number }));
  };
  git('init', '--quiet');
  write(RELEASED, '0.0.1');
  git('add', '.');
  git('commit', '--quiet', '-m', 'Release');
  if (tag !== null) for (const name of ['v0.0.9', 'v0.0.10-rc.1', 'vision', tag]) git('tag', name);
  write(schema, version);
  return directory;
}

describe('the check of a release', () => {
  it.each([
    ['v0.2.0', '0.2.1', '0.3.0'],
    ['v1.2.3', '1.3.0', '2.0.0'],
  ])('after %s refuses a breaking change as %s and allows it as %s', async (tag, refused, allowed) => {
    expect(compareWithRelease(await repository(tag, WITHOUT_TASKS, refused))).toEqual({
      isAllowed: false,
      report: `Since ${tag} these changes of the schema break clients:\n  - Query.tasks was removed.\nThe version in package.json, ${refused}, does not say so after ${tag}. Take them back, or make it ${allowed} and say in CHANGELOG.md what clients have to do.`,
    });
    expect(compareWithRelease(await repository(tag, WITHOUT_TASKS, allowed)).isAllowed).toBe(true);
  });

  it('lists what may surprise clients, and allows it', async () => {
    const { isAllowed, report } = compareWithRelease(await repository('v1.0.0', WITH_STATE, '1.0.0'));
    expect(isAllowed).toBe(true);
    expect(report).toMatch(/may surprise clients:\n {2}- GONE was added to enum type State/);
  });

  it('says that nothing changed, that nothing was released yet, and that there is no repository', async () => {
    const same = compareWithRelease(await repository('v1.0.0', RELEASED, '1.0.0'));
    expect(same).toEqual({
      isAllowed: true,
      report: 'Since v1.0.0 no change of the schema breaks a client.',
    });
    const none = compareWithRelease(await repository(null, WITHOUT_TASKS, '0.1.0'));
    expect(none.isAllowed).toBe(true);
    expect(none.report).toMatch(/no tag of a release/);
    expect(compareWithRelease(await temporaryDir())).toEqual(none);
  });

  it('finds the newest release by number', () => {
    expect(newest(['v1.9.0', 'v1.10.0', 'v1.2.30', 'v2.0.0-rc.1', 'latest', ''])?.name).toBe('v1.10.0');
  });
});
