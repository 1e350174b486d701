import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { banner, type BannerFacts } from '../src/cli/banner.ts';
import { ownUrl } from '../src/config/loopback.ts';
import {
  COMMANDS,
  DEFAULT_SANDBOX_PORT,
  type CommandName,
  parseCommand,
  usage,
} from '../src/cli/commands.ts';
import { explainPort } from '../src/cli/serve.ts';

const ADDRESS = 'postgres://me:hush@db.example/tasks';
const COPY =
  'copy needs a data directory and the URL of an empty PostgreSQL database (example: copy --from ./data --to postgres://user:password@host/database)';

describe('an address that cannot be listened on', () => {
  it.each([
    [
      'EADDRINUSE',
      'listen',
      /port 80 on ::1 is in use\. Stop what listens there, or choose another: PORT=81\.$/,
    ],
    ['EACCES', 'listen', /this user may not listen on port 80 of ::1\. Choose a PORT from 1024 on/],
    ['EADDRNOTAVAIL', 'listen', /HOST=::1 is no address of this machine/],
    ['ENOTFOUND', 'getaddrinfo', /HOST=::1 is no address of this machine/],
    ['EACCES', 'open', /^as it was$/],
  ])('is explained with the way out (%s of %s)', (code, syscall, expected) => {
    const error = Object.assign(new Error('as it was'), { code, syscall });
    expect(() => explainPort('::1', 80, 'PORT=81')(error)).toThrow(expected);
  });
});

describe('the command line', () => {
  it.each([
    [[], { kind: 'serve' }],
    [['serve'], { kind: 'serve' }],
    [['sandbox'], { kind: 'sandbox', port: DEFAULT_SANDBOX_PORT }],
    [['sandbox', '--port', '9000'], { kind: 'sandbox', port: 9000 }],
    [['--port=0', 'sandbox'], { kind: 'sandbox', port: 0 }],
    [['migrate'], { kind: 'migrate', isDryRun: false }],
    [['migrate', '--dry-run'], { kind: 'migrate', isDryRun: true }],
    [['copy', '--from', './data', '--to', ADDRESS], { kind: 'copy', from: './data', to: ADDRESS }],
    [
      ['--to=postgresql:///db', '--from=data', 'copy'],
      { kind: 'copy', from: 'data', to: 'postgresql:///db' },
    ],
    [['backup', 'copy.db'], { kind: 'backup', file: 'copy.db' }],
    [['doctor'], { kind: 'doctor', isJson: false }],
    [['doctor', '--json'], { kind: 'doctor', isJson: true }],
    [['copy', '--help'], { kind: 'help', command: 'copy' }],
    [['--help'], { kind: 'help', command: null }],
    [['sandbox', '-h'], { kind: 'help', command: 'sandbox' }],
    [['--nonsense', '--help'], { kind: 'help', command: null }],
    [['sevre', '--help'], { kind: 'help', command: null }],
    [['--version'], { kind: 'version' }],
    [['-v'], { kind: 'version' }],
  ])('%j asks for %j', (argv, command) => {
    expect(parseCommand(argv)).toEqual(command);
  });

  it.each([
    [['sevre'], 'Unknown command "sevre"; did you mean "serve"?'],
    [['help'], 'Unknown command "help"; did you mean "--help"?'],
    [['deploy'], 'Unknown command "deploy"'],
    [['sandbox', '--prot', '9000'], 'Unknown option "--prot"; did you mean "--port"?'],
    [['-x'], 'Unknown option "-x"'],
    [['--help=me'], '--help takes no value'],
    [['sandbox', 'serve'], 'Unexpected argument "serve" after "sandbox"'],
    [['sandbox', '--port'], '--port must be an integer from 0 to 65535 (example: --port 4001)'],
    [
      ['sandbox', '--port', '65536'],
      '--port must be an integer from 0 to 65535, not "65536" (example: --port 4001)',
    ],
    [
      ['sandbox', '--port', '-1'],
      '--port must be an integer from 0 to 65535, not "-1" (example: --port 4001)',
    ],
    [['backup'], 'backup needs the name of a new file (example: kineograph backup kineograph.backup.db)'],
    [['backup', 'one.db', 'two.db'], 'Unexpected argument "two.db" after "backup"'],
    [['migrat'], 'Unknown command "migrat"; did you mean "migrate"?'],
    [['migrate', '--dryrun'], 'Unknown option "--dryrun"; did you mean "--dry-run"?'],
    [['migrate', '--dry-run=yes'], '--dry-run takes no value'],
    [['--dry-run'], '--dry-run belongs to migrate, not to serve'],
    [['copy', '--dry-run'], '--dry-run belongs to migrate, not to copy'],
    [['migrate', '--from', 'data'], '--from belongs to copy, not to migrate'],
    [['serve', '--to', ADDRESS], '--to belongs to copy, not to serve'],
    [['migrate', '--port', '80'], '--port belongs to sandbox, not to migrate'],
    [['copy'], COPY],
    [['copy', '--from', 'data'], COPY],
    [['copy', '--to', ADDRESS], COPY],
    [['copy', '--from=', '--to', ADDRESS], COPY],
    [['copy', '--from', 'data', '--to'], COPY],
    [['copy', '--from', 'data', '--to', 'other'], COPY],
    [['copy', '--from', 'data', '--to', 'mysql://me:hush@db.example/tasks'], COPY],
    [
      ['copy', '--from', 'data', ADDRESS],
      'Unexpected argument "postgres://***@db.example/tasks" after "copy"',
    ],
    [[ADDRESS], 'Unknown command "postgres://***@db.example/tasks"'],
    [['--port', '80'], '--port belongs to sandbox; serve listens on the variable PORT (example: PORT=8080)'],
  ])('%j is a mistake with a way out', (argv, message) => {
    expect(parseCommand(argv)).toEqual({ kind: 'mistake', message });
  });

  it('is explained by the usage within 80 columns', () => {
    expect(usage()).toMatch(/serve .*sandbox .*migrate .*copy .*doctor .*--help .*--version/s);
    expect(usage()).toContain('node dist/main.js');
    expect(widthOf(usage())).toBeLessThanOrEqual(80);
  });

  it.each(Object.keys(COMMANDS) as CommandName[])(
    'explains %s by itself: its options, and examples that it takes, one of them in the overview as well',
    (command) => {
      const { examples, options } = COMMANDS[command];
      const text = usage(command);
      expect(widthOf(text)).toBeLessThanOrEqual(80);
      expect(text).toMatch(new RegExp(`^Usage: kineograph ${command}`));
      for (const { name } of options) expect(text).toContain(`\n  --${name}`);
      // Options are in brackets exactly where the command does without them.
      const { kind } = parseCommand([command, ...('argument' in COMMANDS[command] ? ['file'] : [])]);
      expect(text.includes(' [--')).toBe(options.length > 0 && kind === command);
      for (const example of examples) {
        expect(text).toContain(`  ${example}\n`);
        expect(parseCommand(argumentsIn(example))).toMatchObject({ kind: command });
      }
      expect(
        usage()
          .split('\n')
          .filter((line) => examples.some((example) => line.includes(example))),
      ).not.toEqual([]);
    },
  );
});

function widthOf(text: string): number {
  return Math.max(...text.split('\n').map(({ length }) => length));
}

/** What follows the program in a line of a shell. */
function argumentsIn(line: string): string[] {
  const [, given = ''] = /(?:^| )(?:kineograph|dist\/main\.js)(?: (.*))?$/.exec(line) ?? [];
  return given === '' ? [] : given.split(' ');
}

const facts: BannerFacts = {
  version: '0.1.0',
  host: '127.0.0.1',
  port: 4000,
  publicUrl: null,
  graphiql: true,
  provider: { kind: 'kie.ai', url: 'https://api.kie.ai' },
  store: 'SQLite in ./data',
  access: 'open, loopback only',
  color: false,
};

describe('the banner', () => {
  it('shows where to go, what answers and who may call', () => {
    expect(banner(facts)).toMatchInlineSnapshot(`
      "
        Kineograph 0.1.0

        Dashboard  http://127.0.0.1:4000
        GraphiQL   http://127.0.0.1:4000/graphql
        WebSocket  ws://127.0.0.1:4000/graphql
        Callbacks  none (PUBLIC_URL is not set: Kineograph polls kie.ai)
        Provider   kie.ai at https://api.kie.ai
        Store      SQLite in ./data
        Access     open, loopback only

      "
    `);
  });

  it('says in sandbox mode that nothing is charged, and how to use the real one', () => {
    const text = banner({ ...facts, provider: { kind: 'sandbox', url: 'http://127.0.0.1:4001' } });
    expect(text).toContain('sandbox at http://127.0.0.1:4001');
    expect(text).toMatch(/Nothing is charged.*KIE_API_KEY/);
  });

  it('shows the callback address as the provider sees it', () => {
    expect(banner({ ...facts, publicUrl: 'https://video.example.com' })).toContain(
      'https://video.example.com/webhooks/kie/{taskId}/{token}',
    );
  });

  it('does not promise GraphiQL where it is off', () => {
    expect(banner({ ...facts, graphiql: false })).not.toContain('GraphiQL');
  });

  it('is coloured only when asked, and then says the same', () => {
    const colored = banner({ ...facts, color: true });
    expect(colored).not.toBe(banner(facts));
    expect(stripVTControlCharacters(colored)).toBe(banner(facts));
  });

  it('fits into 80 columns', () => {
    const text = banner({ ...facts, provider: { kind: 'sandbox', url: 'http://127.0.0.1:40001' } });
    expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80);
  });
});

describe('the own address', () => {
  it.each([
    ['127.0.0.1', 'http://127.0.0.1:4000'],
    ['localhost', 'http://localhost:4000'],
    ['0.0.0.0', 'http://localhost:4000'],
    ['::', 'http://localhost:4000'],
    ['::1', 'http://[::1]:4000'],
  ])('of a server on %s is %s', (host, url) => {
    expect(ownUrl(host, 4000)).toBe(url);
  });
});
