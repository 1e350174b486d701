import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { banner, describeVideos, type BannerFacts } from '../src/cli/banner.ts';
import { parseConfig } from '../src/config/config.ts';
import { ownUrl } from '../src/config/loopback.ts';
import { runProgram } from '../src/cli/program.ts';
import { explainPort } from '../src/cli/serve.ts';

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

/** What a command line without a command to run prints, and its exit code. */
async function runLine(line: string): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const surroundings = { env: {}, stdout, stderr, exitCode: undefined as unknown };
  await runProgram(line.split(' ').filter(Boolean), surroundings as unknown as NodeJS.Process);
  const code = surroundings.exitCode;
  return { code, stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') };
}

describe('the command line', () => {
  it.each([
    ['sevre', "unknown command 'sevre'\n(Did you mean serve?)"],
    ['deploy', "unknown command 'deploy'"],
    ['postgres://me:hush@db.example/tasks', "unknown command '***@db.example/tasks'"],
    ["postgres://me:hu'sh@db.example/tasks", "unknown command '***@db.example/tasks'"],
    ['-x', "unknown option '-x'"],
    ['--port 80', "unknown option '--port'"],
    ['migrate --dryrun', "unknown option '--dryrun'\n(Did you mean --dry-run?)"],
    ['serve --to postgres://me:hush@db.example/tasks', "unknown option '--to'"],
    ['serve --to=postgres://me:hush@db.example/tasks', "unknown option '***@db.example/tasks'"],
    ['sandbox serve', "too many arguments for 'sandbox'. Expected 0 arguments but got 1."],
    ['sandbox --port', "option '--port <n>' argument missing"],
    ...['65536', '-1', '1.5', 'many'].map((port) => [
      `sandbox --port ${port}`,
      `option '--port <n>' argument '${port}' is invalid. It must be an integer from 0 to 65535.`,
    ]),
    ['backup', "missing required argument 'file'"],
    ['backup one.db two.db', "too many arguments for 'backup'. Expected 1 argument but got 2."],
    ['archive retry', 'name one task, or use --all'],
    ['archive retry one --all', 'name one task, or use --all'],
    ['archive retry one two', "too many arguments for 'retry'. Expected 1 argument but got 2."],
    ['archive chekc', "unknown command 'chekc'\n(Did you mean check?)"],
    ['models chekc', "too many arguments for 'models'. Expected 0 arguments but got 1."],
    ['copy --to postgres:///db', "required option '--from <dir>' not specified"],
    ['copy --from data', "required option '--to <url>' not specified"],
    ...['hush', 'me:hush@db.example/tasks', 'mysql://me:hush@db.example/tasks'].map((url) => [
      `copy --from data --to ${url}`,
      '--to must be a URL such as postgres://user:password@host/database',
    ]),
  ])('is refused with the help of its command and no secret: %s', async (line, message) => {
    const { code, stderr, stdout } = await runLine(line);
    expect([code, stdout]).toEqual([64, '']);
    expect(stderr).toMatch(/\n\nUsage: kineograph /);
    expect(stderr.slice(0, stderr.indexOf('\n\nUsage'))).toBe(`kineograph: ${message}`);
    expect(stderr).not.toContain('hush');
  });

  it.each([
    '',
    'serve',
    'sandbox',
    'migrate',
    'copy',
    'backup',
    'archive',
    'archive retry',
    'archive check',
    'models',
    'models check',
    'doctor',
  ])('explains itself within 80 columns: %s --help', async (command) => {
    const { code, stderr, stdout } = await runLine(`${command} --help`);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`^Usage: kineograph ${command}.*--help`, 's'));
    expect(Math.max(...stdout.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80);
  });

  it('shows help even when the rest is wrong', async () => {
    expect((await runLine('--nonsense --help')).stdout).toMatch(
      /serve .*sandbox .*migrate .*copy .*doctor /s,
    );
  });
});

const facts: BannerFacts = {
  version: '0.1.0',
  host: '127.0.0.1',
  port: 4000,
  publicUrl: null,
  graphiql: true,
  provider: { kind: 'kie.ai', url: 'https://api.kie.ai' },
  store: 'SQLite in ./data',
  videos: 'kept in ./data/videos',
  access: 'open, loopback only',
  color: false,
};

it('the banner shows where to go, what answers and who may call', () => {
  expect(banner(facts)).toMatchInlineSnapshot(`
    "
      Kineograph 0.1.0

      Dashboard  http://127.0.0.1:4000
      GraphiQL   http://127.0.0.1:4000/graphql
      WebSocket  ws://127.0.0.1:4000/graphql
      Callbacks  none (PUBLIC_URL is not set: Kineograph polls kie.ai)
      Provider   kie.ai at https://api.kie.ai
      Store      SQLite in ./data
      Videos     kept in ./data/videos
      Access     open, loopback only

    "
  `);
  const colored = banner({ ...facts, color: true });
  expect(colored).not.toBe(banner(facts));
  expect(stripVTControlCharacters(colored)).toBe(banner(facts));
});

it.each<readonly [env: Readonly<Record<string, string>>, videos: string]>([
  [{ DATA_DIR: '/srv/data' }, 'kept in /srv/data/videos'],
  [{ ARCHIVE: 'off' }, 'not kept (ARCHIVE is off)'],
  [{ ARCHIVE: 'off', KIE_API_KEY: 'key' }, 'not kept: kie.ai deletes them after days'],
  [
    { DATABASE_URL: 'postgres://db.example/tasks', KIE_API_KEY: 'key' },
    'not kept: kie.ai deletes them after days',
  ],
  [
    {
      ARCHIVE: 's3',
      ARCHIVE_S3_URL: 'https://s3.example/bucket/prefix/',
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'hush',
    },
    'kept in S3 at s3.example/bucket/prefix',
  ],
])('the banner says of the videos with %j that they are %s', (env, videos) => {
  expect(describeVideos(parseConfig(env))).toBe(videos);
});

it.each<readonly [facts: Partial<BannerFacts>, line: RegExp]>([
  [
    { provider: { kind: 'sandbox', url: 'http://127.0.0.1:40001' } },
    /Provider +sandbox at http:\/\/127\.0\.0\.1:40001\n +Nothing is charged\..*KIE_API_KEY/,
  ],
  [
    { publicUrl: 'https://video.example.com' },
    /Callbacks +https:\/\/video\.example\.com\/webhooks\/kie\/\{taskId\}\/\{token\}\n/,
  ],
  [{ graphiql: false }, /GraphQL +http:\/\/127\.0\.0\.1:4000\/graphql\n/],
])('the banner says, within 80 columns, of %j: %s', (changed, line) => {
  const text = banner({ ...facts, ...changed });
  expect(text).toMatch(line);
  expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80);
});

it.each([
  ['127.0.0.1', 'http://127.0.0.1:4000'],
  ['0.0.0.0', 'http://localhost:4000'],
  ['::', 'http://localhost:4000'],
  ['::1', 'http://[::1]:4000'],
])('this machine reaches a server on %s at %s', (host, url) => {
  expect(ownUrl(host, 4000)).toBe(url);
});
