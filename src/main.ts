#!/usr/bin/env node
import { parseCommand, type Command } from './cli/parse-command.ts';
import { usage } from './cli/usage.ts';
import { ConfigError } from './config/config-error.ts';
import { StoreFormError } from './store/store-form-error.ts';
import { VERSION } from './version.ts';

/** sysexits.h: the configuration is wrong, the command line is wrong. */
const EX_CONFIG = 78;
const EX_USAGE = 64;

try {
  await run(parseCommand(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`kineograph: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof ConfigError || error instanceof StoreFormError ? EX_CONFIG : 1);
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
    case 'help':
      stdout.write(usage());
      return;
    case 'version':
      stdout.write(`${VERSION}\n`);
      return;
    case 'mistake':
      stderr.write(`kineograph: ${command.message}\n\n${usage()}`);
      process.exitCode = EX_USAGE;
  }
}
