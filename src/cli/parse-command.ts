import { parseArgs } from 'node:util';
import { didYouMean } from '../config/suggest.ts';
import { COMMANDS, COMMAND_OPTIONS, DEFAULT_SANDBOX_PORT, isCommand, type CommandName } from './commands.ts';

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
  const isAddress = typeof to === 'string' && /^postgres(ql)?:\/\/./.test(to) && URL.canParse(to);
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
