import { isCommand, EXIT, parseCommand, type Command, usage } from './commands.ts';
import { ConfigError } from '../config/config.ts';
import { StoreSchemaError } from '../store/schema.ts';
import { VERSION } from '../version.ts';
import type { Writable } from 'node:stream';

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
    await run(parseCommand(args), program);
  } catch (error) {
    fail(error);
  }
}

/** Each command loads what it works with; help and version load nothing. */
async function run(command: Command, program: NodeJS.Process): Promise<void> {
  const { env, stderr, stdout } = program;
  switch (command.kind) {
    case 'serve': {
      const { serve } = await import('./serve.ts');
      return serve(env, stdout);
    }
    case 'sandbox': {
      const { runSandbox } = await import('./sandbox.ts');
      return runSandbox(command.port, env, stdout);
    }
    case 'migrate': {
      const { runMigrate } = await import('./migrate.ts');
      return runMigrate(command.isDryRun, env, stdout);
    }
    case 'copy': {
      const { runCopy } = await import('./copy.ts');
      return runCopy(command.from, command.to, stdout);
    }
    case 'backup': {
      const { runBackup } = await import('./backup.ts');
      return runBackup(command.file, env, stdout);
    }
    case 'doctor': {
      const { runDoctor } = await import('./doctor/run.ts');
      const color = stdout.isTTY && env['NO_COLOR'] === undefined;
      const status = await runDoctor({ isJson: command.isJson, color }, env, stdout);
      program.exitCode = status === 'config' ? EXIT.config : status === 'failure' ? EXIT.failed : EXIT.ok;
      return;
    }
    case 'help':
      stdout.write(usage(command.command));
      return;
    case 'version':
      stdout.write(`${VERSION}\n`);
      return;
    case 'mistake':
      // The help of the command that was meant, where one is named.
      stderr.write(`kineograph: ${command.message}\n\n${usage(program.argv.slice(2).find(isCommand))}`);
      program.exitCode = EXIT.usage;
  }
}

/**
 * Lets a command end as usual when whoever reads its output has seen enough, as in `kineograph doctor | head`. Other
 * troubles of an output are handed to `fail`.
 */
export function ignoreClosedOutput(outputs: readonly Writable[], fail: (error: Error) => void): void {
  for (const output of outputs)
    output.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') fail(error);
    });
}
