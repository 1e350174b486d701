import { Command, CommanderError, InvalidArgumentError } from 'commander';
import type { Writable } from 'node:stream';
import { ConfigError } from '../config/config-error.ts';
import { StoreSchemaError } from '../store/schema.ts';
import { VERSION } from '../version.ts';
import { EXIT } from './exit.ts';

const WIDTH = 80;
const SANDBOX_PORT = 4001;

/** Runs the command that a process was started with. Never rejects. */
export async function runProgram(args: readonly string[], program: NodeJS.Process): Promise<void> {
  const fail = (error: unknown): void => {
    program.stderr.write(`kineograph: ${error instanceof Error ? error.message : String(error)}\n`);
    program.exit(
      error instanceof ConfigError || error instanceof StoreSchemaError ? EXIT.config : EXIT.failed,
    );
  };
  ignoreClosedOutput([program.stdout, program.stderr], fail);
  try {
    await createProgram(program).parseAsync(args.length === 0 ? ['serve'] : args, { from: 'user' });
  } catch (error) {
    // Commander has written help, version or what is wrong with the command line.
    if (error instanceof CommanderError) program.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    else fail(error);
  }
}

/** What the command line needs of a process. */
export type Surroundings = Pick<NodeJS.Process, 'env' | 'stdout' | 'stderr' | 'exitCode'>;

/** Each command loads what it works with; help and version load nothing. */
function createProgram(surroundings: Surroundings): Command {
  const { env, stderr, stdout } = surroundings;
  const program = new Command('kineograph')
    .description('A GraphQL gateway for image-to-video generation.')
    .version(VERSION, '-v, --version', 'Show the version.')
    .helpOption('-h, --help', 'Show help, also of one command.')
    .addHelpText('after', EPILOGUE)
    .exitOverride()
    .showHelpAfterError()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      getOutHelpWidth: () => WIDTH,
      getErrHelpWidth: () => WIDTH,
      // An address in the wrong place may hold a password.
      outputError: (text, write) => {
        write(text.replace(/^error: /, 'kineograph: ').replace(/'.*@/, "'***@"));
      },
    });
  const add = (usage: string, summary: string, description: string): Command =>
    program.command(usage).summary(summary).description(description);

  add(
    'serve',
    'Run the gateway (the default). Without KIE_API_KEY nothing is charged.',
    'Runs the gateway on HOST and PORT until SIGTERM or SIGINT. Without KIE_API_KEY it also starts the sandbox, a stand-in for kie.ai, and nothing is charged. Tasks are stored in DATA_DIR, or in the PostgreSQL database of DATABASE_URL.',
  ).action(async () => (await import('./serve.ts')).serve(env, stdout));

  add(
    'sandbox',
    'Run only the sandbox, a stand-in for kie.ai.',
    'Runs the stand-in for kie.ai alone, on 127.0.0.1, so that you can test a gateway with a key against it. It requires the key in KIE_API_KEY (any key, when unset) and signs its callbacks with the first of KIE_WEBHOOK_HMAC_KEYS.',
  )
    .option('--port <n>', 'The port to listen on, 0 for a free one.', parsePort, SANDBOX_PORT)
    .action(async ({ port }: { readonly port: number }) =>
      (await import('./sandbox.ts')).runSandbox(port, env, stdout),
    );

  add(
    'migrate',
    'Migrate the store to the schema of this version.',
    'Migrates the store to the schema of this version. serve does so at its start unless MIGRATE=false. Make a backup first: an older version refuses a newer schema. With --dry-run a gateway may run on the store meanwhile.',
  )
    .option('--dry-run', 'Only list pending migrations; change nothing.')
    .action(async ({ dryRun = false }: { readonly dryRun?: boolean }) =>
      (await import('./migrate.ts')).runMigrate(dryRun, env, stdout),
    );

  const copy = add(
    'copy',
    'Copy a data directory to an empty PostgreSQL database.',
    'Copies the store in a data directory to an empty PostgreSQL database, and verifies the copy. Stop the gateway first.',
  )
    .usage('--from <dir> --to <url>')
    .requiredOption('--from <dir>', 'The data directory.')
    .requiredOption('--to <url>', 'The database, as in DATABASE_URL.')
    .action(async ({ from, to }: { readonly from: string; readonly to: string }) => {
      if (!/^postgres(ql)?:\/\/./.test(to) || !URL.canParse(to))
        copy.error('error: --to must be a URL such as postgres://user:password@host/database');
      await (await import('./copy.ts')).runCopy(from, to, stdout);
    });

  add(
    'backup <file>',
    'Copy the SQLite database to a file, while the gateway runs.',
    'Copies the SQLite database in DATA_DIR to a new file, as of one moment, and verifies the copy. The gateway may run meanwhile. An existing file is not overwritten. For a PostgreSQL database use pg_dump.',
  ).action(async (file: string) => (await import('./backup.ts')).runBackup(file, env, stdout));

  addArchive(program, surroundings);
  addModels(program, surroundings);

  add(
    'doctor',
    'Check the settings and what they refer to; change nothing.',
    'Checks its environment: settings, store, disk, copies of videos, provider key and credits, clock, access, and the route from PUBLIC_URL to this gateway (callbacks, signatures and WebSockets). Run it with the settings of the gateway, which may be running. It says what is wrong and how to fix it, changes nothing and prints no secret. Exit code 0 when nothing failed, 1 when something did, 78 when the settings are wrong.',
  )
    .option('--json', 'Print JSON: { version, status, findings: [{ check, status, message, mend }] }.')
    .action(async ({ json: isJson = false }: { readonly json?: boolean }) => {
      const { runDoctor } = await import('./doctor/run.ts');
      const color = stdout.isTTY && env['NO_COLOR'] === undefined;
      const status = await runDoctor({ isJson, color }, env, stdout);
      surroundings.exitCode = { ok: EXIT.ok, warning: EXIT.ok, failure: EXIT.failed, config: EXIT.config }[
        status
      ];
    });
  return program;
}

function addArchive(program: Command, surroundings: Surroundings): void {
  const { env, stdout } = surroundings;
  const archive = program
    .command('archive')
    .summary('Retry lost copies of videos, or check the stored ones.')
    .description('Works with the copies of videos that the gateway keeps (ARCHIVE).');
  const retry = archive
    .command('retry [task]')
    .summary('Copy lost videos again.')
    .description(
      'Makes the lost videos of a task, or of all tasks with --all, due to be copied again. A video that kie.ai has deleted is lost again after one attempt. With a data directory, stop the gateway first; with PostgreSQL, gateways may run.',
    )
    .option('--all', 'Retry the lost videos of all tasks.')
    .action(async (task: string | undefined, { all = false }: { readonly all?: boolean }) => {
      if ((task !== undefined) === all) retry.error('error: name one task, or use --all');
      await (await import('./archive-retry.ts')).retryCopies(task ?? null, env, stdout);
    });
  archive
    .command('check')
    .summary('Read every stored video and compare its hash.')
    .description(
      'Reads every stored video once, compares its size and hash with what was stored, and lists the tasks whose copy is missing or wrong. Changes nothing. Gateways may run meanwhile; one that does not run on the data directory can only start afterwards. Exit code 0 when everything is right, 1 when something is wrong or cannot be read, 78 when the settings are wrong.',
    )
    .action(async () => {
      surroundings.exitCode = await (await import('./archive-check.ts')).checkCopies(env, stdout);
    });
}

function addModels(program: Command, surroundings: Surroundings): void {
  const { env, stdout } = surroundings;
  program
    .command('models')
    .summary('List the models, or compare them with kie.ai.')
    .description('Lists the models that this version knows, with their values, defaults and prices.')
    .action(async () => {
      (await import('./models.ts')).listModels(stdout);
    })
    .command('check')
    .summary('Compare the models with the catalogue of kie.ai.')
    .description(
      'Compares the models that this version knows with the catalogue of kie.ai, and prints what was added, removed or changed there, with the prices in the words of kie.ai. Needs KIE_API_KEY, costs nothing, and takes about 12 seconds, since kie.ai admits one request per second. Exit code 0 when no model here was removed or changed there, 1 when one was or the catalogue cannot be read, 78 when the settings are wrong.',
    )
    .action(async () => {
      surroundings.exitCode = await (await import('./check-models.ts')).checkModels(env, stdout);
    });
}

const EPILOGUE = `
Examples:
  kineograph
  KIE_API_KEY=your-key PUBLIC_URL=https://video.example.com kineograph
  kineograph sandbox --port 4001
  DATABASE_URL=postgres://user:secret@host/db kineograph migrate
  kineograph copy --from ./data --to postgres://user:secret@host/db
  DATA_DIR=/var/lib/kineograph kineograph backup kineograph.backup.db
  kineograph archive retry --all
  KIE_API_KEY=your-key kineograph models check
  node --env-file=.env dist/main.js doctor

From a checkout, kineograph is node dist/main.js. Settings come from the
environment; docs/configuration.md lists them all.
`;

function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new InvalidArgumentError('It must be an integer from 0 to 65535.');
}

/**
 * Lets a command end as usual when its reader has seen enough, as in `kineograph doctor | head`. Other errors of an
 * output are handed to `fail`.
 */
function ignoreClosedOutput(outputs: readonly Writable[], fail: (error: Error) => void): void {
  for (const output of outputs)
    output.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') fail(error);
    });
}
