#!/usr/bin/env node
import { ignoreClosedOutput } from './cli/closed-output.ts';
import { EXIT } from './cli/exit-codes.ts';
import { parseCommand, type Command } from './cli/parse-command.ts';
import { usage } from './cli/usage.ts';
import { ConfigError } from './config/config-error.ts';
import { StoreFormError } from './store/store-form-error.ts';
import { VERSION } from './version.ts';

ignoreClosedOutput([process.stdout, process.stderr], fail);
try {
  await run(parseCommand(process.argv.slice(2)));
} catch (error) {
  fail(error);
}

function fail(error: unknown): void {
  process.stderr.write(`kineograph: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof ConfigError || error instanceof StoreFormError ? EXIT.config : EXIT.failed);
}

/** Each command loads what it works with; help and version load nothing. */
async function run(command: Command): Promise<void> {
  const { env, stderr, stdout } = process;
  switch (command.kind) {
    case 'serve': {
      const { serve } = await import('./cli/serve.ts');
      return serve(env, stdout);
    }
    case 'sandbox': {
      const { runSandbox } = await import('./cli/sandbox.ts');
      return runSandbox(command.port, env, stdout);
    }
    case 'migrate': {
      const { runMigrate } = await import('./cli/migrate.ts');
      return runMigrate(command.isDryRun, env, stdout);
    }
    case 'copy': {
      const { runCopy } = await import('./cli/copy.ts');
      return runCopy(command.from, command.to, stdout);
    }
    case 'backup': {
      const { runBackup } = await import('./cli/backup.ts');
      return runBackup(command.file, env, stdout);
    }
    case 'doctor': {
      const { runDoctor } = await import('./cli/doctor.ts');
      const color = stdout.isTTY && env['NO_COLOR'] === undefined;
      process.exitCode = await runDoctor({ isJson: command.isJson, color }, env, stdout);
      return;
    }
    case 'help':
      stdout.write(usage(command.command));
      return;
    case 'version':
      stdout.write(`${VERSION}\n`);
      return;
    case 'mistake':
      stderr.write(`kineograph: ${command.message}\n\n${usage()}`);
      process.exitCode = EXIT.usage;
  }
}
