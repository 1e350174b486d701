#!/usr/bin/env node
import { runCopy } from './cli/copy.ts';
import { runMigrate } from './cli/migrate.ts';
import { parseCommand } from './cli/parse-command.ts';
import { runSandbox } from './cli/sandbox.ts';
import { serve } from './cli/serve.ts';
import { usage } from './cli/usage.ts';
import { ConfigError } from './config.ts';
import { StoreFormError } from './store/migrate.ts';
import { VERSION } from './version.ts';

/** sysexits.h: the configuration is wrong, the command line is wrong. */
const EX_CONFIG = 78;
const EX_USAGE = 64;

const command = parseCommand(process.argv.slice(2));
try {
  switch (command.kind) {
    case 'serve':
      await serve(process.env, process.stdout);
      break;
    case 'sandbox':
      await runSandbox(command.port, process.env, process.stdout);
      break;
    case 'migrate':
      await runMigrate(command.isDryRun, process.env, process.stdout);
      break;
    case 'copy':
      await runCopy(command.from, command.to, process.stdout);
      break;
    case 'help':
      process.stdout.write(usage());
      break;
    case 'version':
      process.stdout.write(`${VERSION}\n`);
      break;
    case 'mistake':
      process.stderr.write(`kineograph: ${command.message}\n\n${usage()}`);
      process.exitCode = EX_USAGE;
  }
} catch (error) {
  process.stderr.write(`kineograph: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof ConfigError || error instanceof StoreFormError ? EX_CONFIG : 1);
}
