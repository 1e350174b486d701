import { wrap } from '../config/render.ts';
import { COMMANDS, type CommandFacts, type CommandName } from './commands.ts';

const WIDTH = 80;

/** The text of `--help`, of one command or, for null, of all. Ends with a newline; no line but an example is longer than 80. */
export function usage(command: CommandName | null = null): string {
  return command === null ? overview() : explain(command, COMMANDS[command]);
}

function overview(): string {
  const commands = Object.entries<CommandFacts>(COMMANDS);
  return [
    'Usage: kineograph [command] [options]',
    '',
    'A GraphQL gateway for image-to-video generation.',
    '',
    'Commands:',
    ...commands.flatMap(([name, { summary }]) => beside(name, summary)),
    '',
    'Options:',
    ...beside('-h, --help', 'Show this text, or that of a command.'),
    ...beside('-v, --version', 'Show the version.'),
    '',
    'Examples:',
    ...commands.map(([, { examples }]) => `  ${examples.at(-1) ?? ''}`),
    '',
    'For one command: kineograph COMMAND --help. From a checkout, kineograph is',
    'node dist/main.js. Settings come from the environment; docs/configuration.md',
    'lists them all.',
    '',
  ].join('\n');
}

function explain(name: string, { argument, details, examples, options }: CommandFacts): string {
  const given = options.map(({ isRequired, name: option, value }) => {
    const typed = value === null ? `--${option}` : `--${option} ${value}`;
    return isRequired === true ? typed : `[${typed}]`;
  });
  const texts = options.flatMap(({ name: option, text, value }) =>
    beside(`--${option} ${value ?? ''}`.trimEnd(), text),
  );
  return [
    `Usage: ${['kineograph', name, ...given, ...(argument === undefined ? [] : [argument])].join(' ')}`,
    '',
    ...wrap(details, WIDTH),
    '',
    ...(texts.length > 0 ? ['Options:', ...texts, ''] : []),
    'Examples:',
    ...examples.map((example) => `  ${example}`),
    '',
  ].join('\n');
}

const LABEL = 15;

/** A label, and a text in lines beside it. */
function beside(label: string, text: string): string[] {
  return wrap(text, WIDTH - LABEL - 2).map(
    (line, index) => `  ${(index === 0 ? label : '').padEnd(LABEL)}${line}`,
  );
}
