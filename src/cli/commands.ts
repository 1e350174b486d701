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
