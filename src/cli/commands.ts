import { parseArgs } from 'node:util';
import { didYouMean } from '../config/suggest.ts';
import { parseUrl } from '../url.ts';
import { wrap } from '../config/render.ts';

/** An option that belongs to one command. */
export interface CommandOption {
  /** Without its dashes. */
  readonly name: string;
  /** What its value is called; null for a flag. */
  readonly value: string | null;
  /** The command does nothing without it. */
  readonly isRequired?: true;
  readonly text: string;
}

/** What people are told of a command. */
export interface CommandFacts {
  /** What it takes beside its options. */
  readonly argument?: string;
  readonly summary: string;
  readonly details: string;
  readonly options: readonly CommandOption[];
  /** As they are typed. */
  readonly examples: readonly [string, ...string[]];
}

/** Where `sandbox` listens when it is not told. */
export const DEFAULT_SANDBOX_PORT = 4001;

/** Every command, in the order in which they are shown: the one source of the parser's options and of `--help`. */
export const COMMANDS = {
  serve: {
    summary: 'Run the gateway (the default). Without KIE_API_KEY nothing is charged.',
    details:
      'Runs the gateway until SIGTERM or SIGINT. Without KIE_API_KEY it also starts the sandbox, a stand-in for kie.ai, and nothing is charged. Tasks are stored in DATA_DIR, or in the PostgreSQL database of DATABASE_URL.',
    options: [],
    examples: [
      'kineograph',
      'PORT=8080 kineograph serve',
      'KIE_API_KEY=your-key PUBLIC_URL=https://video.example.com kineograph',
    ],
  },
  sandbox: {
    summary: 'Run only the sandbox, a stand-in for kie.ai.',
    details:
      'Runs the stand-in for kie.ai alone, on 127.0.0.1, so that you can test a gateway with a key against it. It requires the key in KIE_API_KEY (any key, when unset) and signs its callbacks with the first of KIE_WEBHOOK_HMAC_KEYS.',
    options: [
      {
        name: 'port',
        value: 'N',
        text: `The port to listen on, 0 for a free one (default: ${DEFAULT_SANDBOX_PORT}).`,
      },
    ],
    examples: [
      'KIE_API_KEY=any KIE_WEBHOOK_HMAC_KEYS=a-key-to-sign-with kineograph sandbox',
      'kineograph sandbox --port 4001',
    ],
  },
  migrate: {
    summary: 'Migrate the store to the schema of this version.',
    details:
      'Migrates the store to the schema of this version. serve does so at its start unless MIGRATE=false. Make a backup first: an older version refuses a newer schema. With --dry-run a gateway may run on the store meanwhile.',
    options: [{ name: 'dry-run', value: null, text: 'Only list pending migrations; change nothing.' }],
    examples: [
      'kineograph migrate --dry-run',
      'DATABASE_URL=postgres://user:secret@host/db kineograph migrate',
    ],
  },
  copy: {
    summary: 'Copy a data directory to an empty PostgreSQL database.',
    details:
      'Copies the store in a data directory to an empty PostgreSQL database, and verifies the copy. Stop the gateway first.',
    options: [
      { name: 'from', value: 'DIR', isRequired: true, text: 'The data directory.' },
      { name: 'to', value: 'URL', isRequired: true, text: 'The database, as in DATABASE_URL.' },
    ],
    examples: ['kineograph copy --from ./data --to postgres://user:secret@host/db'],
  },
  backup: {
    summary: 'Copy the SQLite database to a file, while the gateway runs.',
    details:
      'Copies the SQLite database in DATA_DIR to a new file, as of one moment, and verifies the copy. The gateway may run meanwhile. An existing file is not overwritten. For a PostgreSQL database use pg_dump.',
    argument: 'FILE',
    options: [],
    examples: ['DATA_DIR=/var/lib/kineograph kineograph backup kineograph.backup.db'],
  },
  doctor: {
    summary: 'Check the settings and what they refer to; change nothing.',
    details:
      'Checks its environment: settings, store, disk, provider key and credits, clock, the route from PUBLIC_URL to this gateway (callbacks and WebSockets), signature keys and access. Run it with the settings of the gateway, which may be running. It says what is wrong and how to fix it, changes nothing and prints no secret. Exit code 0 when nothing failed, 1 when something did, 78 when the settings are wrong.',
    options: [
      {
        name: 'json',
        value: null,
        text: 'Print JSON: { version, status, findings: [{ check, status, message, mend }] }.',
      },
    ],
    examples: ['node --env-file=.env dist/main.js doctor', 'kineograph doctor --json', 'kineograph doctor'],
  },
} as const satisfies Readonly<Record<string, CommandFacts>>;

export type CommandName = keyof typeof COMMANDS;

export function isCommand(word: string): word is CommandName {
  return Object.hasOwn(COMMANDS, word);
}

/** Every option of every command, with whose it is. */
export const COMMAND_OPTIONS: readonly (CommandOption & { readonly command: CommandName })[] =
  Object.entries<CommandFacts>(COMMANDS).flatMap(([command, { options }]) =>
    options.map((option) => ({ ...option, command: command as CommandName })),
  );

/** What the command line asks for. */
export type Command =
  | { readonly kind: 'serve' }
  | { readonly kind: 'sandbox'; readonly port: number }
  | { readonly kind: 'migrate'; readonly isDryRun: boolean }
  | { readonly kind: 'copy'; readonly from: string; readonly to: string }
  | { readonly kind: 'backup'; readonly file: string }
  | { readonly kind: 'doctor'; readonly isJson: boolean }
  /** Of one command, or of all. */
  | { readonly kind: 'help'; readonly command: CommandName | null }
  | { readonly kind: 'version' }
  | { readonly kind: 'mistake'; readonly message: string };

const OPTIONS: Readonly<Record<string, { type: 'boolean' | 'string'; short?: string }>> = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
  ...Object.fromEntries(
    COMMAND_OPTIONS.map(({ name, value }) => [name, { type: value === null ? 'boolean' : 'string' }]),
  ),
};

/** Whose options they are. */
const BELONGS_TO = new Map(COMMAND_OPTIONS.map(({ command, name }) => [name, command]));

/** Reads the arguments that follow the program's name. Never throws; `--help` wins over every mistake. */
export function parseCommand(argv: readonly string[]): Command {
  // Not strict: the messages of strict mode do not say what was probably meant.
  const { values, positionals, tokens } = parseArgs({
    args: [...argv],
    options: OPTIONS,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const [command = 'serve', ...others] = positionals;
  if (values['help'] === true)
    return { kind: 'help', command: positionals.length > 0 && isCommand(command) ? command : null };
  if (values['version'] === true) return { kind: 'version' };

  const options = tokens.filter((token) => token.kind === 'option');
  const stranger = options.find((token) => !Object.hasOwn(OPTIONS, token.name));
  if (stranger !== undefined) return unknownOption(stranger.rawName);
  const flag = options.find((token) => isFlag(token.name) && token.value !== undefined);
  if (flag !== undefined) return mistake(`${flag.rawName} takes no value`);

  if (!isCommand(command)) return unknownCommand(command);
  const [file, extra] = command === 'backup' ? others : [undefined, ...others];
  if (extra !== undefined) return mistake(`Unexpected argument "${shown(extra)}" after "${command}"`);
  const misplaced = options.find((token) => (BELONGS_TO.get(token.name) ?? command) !== command);
  if (misplaced !== undefined) return belongsElsewhere(misplaced.name, command);
  switch (command) {
    case 'serve':
      return { kind: 'serve' };
    case 'sandbox':
      return sandbox(values['port']);
    case 'migrate':
      return { kind: 'migrate', isDryRun: values['dry-run'] === true };
    case 'copy':
      return copy(values['from'], values['to']);
    case 'backup':
      return file === undefined || file === ''
        ? mistake('backup needs the name of a new file (example: kineograph backup kineograph.backup.db)')
        : { kind: 'backup', file };
    case 'doctor':
      return { kind: 'doctor', isJson: values['json'] === true };
  }
}

function isFlag(name: string): boolean {
  return OPTIONS[name]?.type === 'boolean';
}

function belongsElsewhere(option: string, command: CommandName): Command {
  const owner = BELONGS_TO.get(option) ?? '';
  if (option === 'port' && command === 'serve')
    return mistake('--port belongs to sandbox; serve listens on the variable PORT (example: PORT=8080)');
  return mistake(`--${option} belongs to ${owner}, not to ${command}`);
}

type Value = string | boolean | undefined;

function copy(from: Value, to: Value): Command {
  const isAddress = typeof to === 'string' && /^postgres(ql)?:\/\/./.test(to) && parseUrl(to) !== null;
  if (typeof from === 'string' && from !== '' && isAddress) return { kind: 'copy', from, to };
  return mistake(
    'copy needs a data directory and the URL of an empty PostgreSQL database (example: copy --from ./data --to postgres://user:password@host/database)',
  );
}

function sandbox(port: Value): Command {
  if (port === undefined) return { kind: 'sandbox', port: DEFAULT_SANDBOX_PORT };
  if (typeof port === 'string' && /^\d{1,5}$/.test(port) && Number(port) <= 65_535) {
    return { kind: 'sandbox', port: Number(port) };
  }
  const given = typeof port === 'string' ? `, not "${port}"` : '';
  return mistake(
    `--port must be an integer from 0 to 65535${given} (example: --port ${DEFAULT_SANDBOX_PORT})`,
  );
}

function unknownOption(name: string): Command {
  const known = Object.keys(OPTIONS).map((option) => `--${option}`);
  return mistake(`Unknown option "${name}"${didYouMean(name, known)}`);
}

function unknownCommand(name: string): Command {
  return mistake(
    `Unknown command "${shown(name)}"${didYouMean(name, [...Object.keys(COMMANDS), '--help', '--version'])}`,
  );
}

/** An argument as it may be repeated: an address in the wrong place has a password too. */
function shown(argument: string): string {
  return argument.replace(/\/\/.*@/, '//***@');
}

function mistake(message: string): Command {
  return { kind: 'mistake', message };
}

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

/** With what the program ends. */
export const EXIT = {
  ok: 0,
  failed: 1,
  /** sysexits.h: the command line is wrong, the configuration is wrong. */
  usage: 64,
  config: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
