import { readFileSync } from 'node:fs';
import { ROOT } from './process.ts';

/** One line of a Dockerfile, for instance `COPY` and what it copies. */
interface Instruction {
  readonly name: string;
  readonly rest: string;
}

export interface Copy {
  /** The stage that it takes from; null: the project's directory. */
  readonly from: string | null;
  readonly sources: readonly string[];
  readonly to: string;
}

/** What one stage is made of and how it runs. */
interface Stage {
  /** Null for the last one. */
  readonly name: string | null;
  readonly base: string;
  readonly copies: readonly Copy[];
  readonly runs: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The rest of an instruction that stands there once; throws when it does not. */
  one(name: string): string;
  /** The command of an instruction in its exec form, which no shell stands in front of. */
  command(name: 'ENTRYPOINT' | 'HEALTHCHECK'): readonly [string, ...string[]];
}

/** The stages of the project's Dockerfile. It knows the instructions that stand in there, and no more of the language. */
export function readDockerfile(): readonly Stage[] {
  const text = readFileSync(`${ROOT}Dockerfile`, 'utf8').replaceAll(/^#.*\n/gm, '');
  const instructions = text
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Instruction => {
      const [name = '', ...rest] = line.split(' ');
      return { name, rest: rest.join(' ') };
    });
  const starts = instructions.flatMap(({ name }, index) => (name === 'FROM' ? [index] : []));
  return starts.map((start, index) => stageOf(instructions.slice(start, starts[index + 1])));
}

/** The stage that becomes the image. */
export function readImage(): Stage {
  const image = readDockerfile().at(-1);
  if (!image) throw new Error('The Dockerfile has no stage');
  return image;
}

function stageOf(instructions: readonly Instruction[]): Stage {
  const all = (name: string): string[] =>
    instructions.filter((one) => one.name === name).map(({ rest }) => rest);
  const one = (name: string): string => {
    const [rest, ...more] = all(name);
    if (rest === undefined || more.length > 0) throw new Error(`${name} has to stand there once`);
    return rest;
  };
  const [base = '', , name = null] = one('FROM').split(' ');
  const env = all('ENV').flatMap((rest) => rest.split(' ').map((pair) => pair.split('=')));
  return {
    name,
    base,
    copies: all('COPY').map(copyOf),
    runs: all('RUN'),
    env: Object.fromEntries(env) as Record<string, string>,
    one,
    command: (which) => JSON.parse(one(which).replace(/^.*?\[/, '[')) as [string, ...string[]],
  };
}

function copyOf(rest: string): Copy {
  const words = rest.split(' ').filter((word) => !word.startsWith('--'));
  const from = /--from=(\S+)/.exec(rest)?.[1] ?? null;
  return { from, sources: words.slice(0, -1), to: words.at(-1) ?? '' };
}
