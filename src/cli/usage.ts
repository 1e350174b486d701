import { DEFAULT_SANDBOX_PORT } from './parse-command.ts';

/** The text of `--help`. Ends with a newline. */
export function usage(): string {
  return `Usage: node dist/main.js [command] [options]

A GraphQL gateway for image-to-video generation.

Commands:
  serve      Run the gateway (the default). Without KIE_API_KEY it starts the
             sandbox beside itself and nothing is charged.
  sandbox    Run only the sandbox, a stand-in for kie.ai.
  migrate    Bring the store to the form that this version needs. serve does so
             by itself unless MIGRATE=false.
  copy       Copy a data directory to an empty PostgreSQL database. Stop the
             gateway first.

Options of sandbox:
  --port N   The port to listen on, 0 for a free one (default: ${DEFAULT_SANDBOX_PORT}).

Options of migrate:
  --dry-run  Only say what would be done.

Options of copy:
  --from DIR The data directory.
  --to URL   The database, as in DATABASE_URL.

Options:
  -h, --help     Show this text.
  -v, --version  Show the version.

Settings come from the environment; .env.example lists them all. Examples:
  KIE_API_KEY=your-key PUBLIC_URL=https://video.example.com node dist/main.js
  PORT=8080 node dist/main.js serve
  node dist/main.js sandbox --port 4001
  node dist/main.js copy --from ./data --to postgres://user:secret@host/db
`;
}
