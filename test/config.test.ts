import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderEnvExample } from '../scripts/docs/env-example.ts';
import { describeAccess } from '../src/cli/banner.ts';
import { ConfigError } from '../src/config/config-error.ts';
import { parseConfig } from '../src/config/config.ts';
import { isLoopback } from '../src/config/loopback.ts';
import { VARIABLES } from '../src/config/variables.ts';

type Env = Readonly<Record<string, string>>;

/** What processes really inherit: shells, desktops, containers, CI, clouds, language tools. */
const ORDINARY = `PATH HOME HOSTNAME HOSTTYPE LOGNAME USER USERNAME SHELL SHLVL PWD OLDPWD LANG LANGUAGE LC_ALL TERM
  TERM_PROGRAM COLORTERM DISPLAY EDITOR PAGER MAIL TMPDIR TZ _ SSH_AUTH_SOCK XDG_DATA_DIRS XDG_DATA_HOME
  XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS NODE_ENV NODE_OPTIONS NODE_EXTRA_CA_CERTS NODE_VERSION npm_config_loglevel
  npm_config_user_agent npm_package_name npm_lifecycle_event NPM_CONFIG_LOGLEVEL NVM_DIR CI GITHUB_ACTIONS GITHUB_TOKEN
  POSTGRES_PORT POSTGRES_HOST POSTGRES_PASSWORD PGHOST PGPORT PGDATA REDIS_URL REDIS_PORT AWS_REGION LOG_FORMAT
  LOG_FILE LOG_DIR KUBERNETES_SERVICE_HOST KUBERNETES_PORT KIE_API_SERVICE_HOST KIE_API_PORT KINEOGRAPH_PORT DATA_URL
  ALL_PROXY all_proxy FTP_PROXY ftp_proxy POST PORTS HOSTS VIRTUAL_HOST VIRTUAL_PORT API_URL
  OPENAI_API_KEY NEXT_PUBLIC_URL VITE_PUBLIC_URL PUBLIC_KEY PUBLIC_IP JAVA_HOME PYTHONPATH DEBUG FORCE_COLOR NO_COLOR
  CREATE_REACT_APP TASK_ID DATABASE_NAME JWT_EXPIRES_IN DEBIAN_FRONTEND RAILWAY_PUBLIC_DOMAIN RENDER_EXTERNAL_URL`;

/** Long enough for JWT_SECRET. */
const SECRET = 'a-secret-of-the-tests-with-more-than-32-characters';
const JWKS_URL = 'https://login.example.com/.well-known/jwks.json';

/** The mistakes that an environment is told; none when it is fine. */
function mistakesIn(env: Env): readonly string[] {
  try {
    parseConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
}

it('every setting has a default', () => {
  expect(parseConfig({})).toEqual({
    port: 4000,
    host: '127.0.0.1',
    publicUrl: null,
    kieApiKey: null,
    kieApiUrl: 'https://api.kie.ai',
    kieUploadUrl: null,
    checkImages: false,
    kieWebhookHmacKeys: [],
    httpsProxy: null,
    httpProxy: null,
    noProxy: [],
    databaseUrl: null,
    databaseListenUrl: null,
    databaseConnections: 10,
    migrate: true,
    taskRetentionDays: null,
    dataDir: './data',
    archive: null,
    archiveS3Url: null,
    awsRegion: 'us-east-1',
    awsAccessKeyId: null,
    awsSecretAccessKey: null,
    awsSessionToken: null,
    archiveServe: 'redirect',
    archiveConcurrency: 2,
    archiveMaxVideoBytes: 1_073_741_824,
    archiveKeepDays: null,
    archiveMaxBytes: null,
    apiKeys: [],
    jwtJwksUrl: null,
    jwtSecret: [],
    jwtIssuer: null,
    jwtAudience: null,
    metricsToken: null,
    showCredits: false,
    trustedProxies: [],
    allowedOrigins: [],
    allowAnonymous: false,
    introspection: true,
    graphiql: true,
    logLevel: 'info',
    maxBodyBytes: 262_144,
    requestTimeoutMs: 120_000,
    maxUploads: 100,
    overloadDelayMs: 1000,
    maxDepth: 10,
    maxAliases: 15,
    maxDirectives: 5,
    maxTokens: 1000,
    maxListItems: 200,
    maxSubscriptionsPerSocket: 100,
    maxOperationsPerSecond: 50,
    maxSocketsPerOwner: null,
    maxSocketsPerAddress: null,
    maxRequestsPerMinute: null,
    maxCreatesPerMinute: null,
    maxCreatesPerDay: null,
    createWaitMs: 15_000,
    createTimeoutMs: 60_000,
    submitDeadlineMs: 900_000,
    submissionGraceMs: 1_800_000,
    taskDeadlineMs: 86_400_000,
    shutdownMs: 65_000,
    drainDelayMs: 0,
    slowReaderMs: 30_000,
    models: [],
    kieCreatesPer10s: 20,
    kieQueriesPerS: 10,
  });
  expect(parseConfig(Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, ''])))).toEqual(
    parseConfig({}),
  );
});

it.each<readonly [env: Env, config: object]>([
  [{ KIE_API_KEY: 'key-123\n' }, { kieApiKey: 'key-123' }],
  [
    { INTROSPECTION: 'true', GRAPHIQL: 'false' },
    { introspection: true, graphiql: false },
  ],
  [
    { SHOW_CREDITS: '1', MIGRATE: '0' },
    { showCredits: true, migrate: false },
  ],
  [
    { PORT: '0', TASK_RETENTION_DAYS: '1' },
    { port: 0, taskRetentionDays: 1 },
  ],
  [{ PUBLIC_URL: 'HTTPS://Video.Example.com:443/' }, { publicUrl: 'https://video.example.com' }],
  [{ KIE_API_URL: 'http://127.0.0.1:1/', KIE_API_KEY: 'key' }, { kieApiUrl: 'http://127.0.0.1:1' }],
  [{ MODELS: ' WAN_2_7, KLING_2_6,WAN_2_7' }, { models: ['WAN_2_7', 'KLING_2_6'] }],
  [{ KIE_WEBHOOK_HMAC_KEYS: ' new , old,, new,' }, { kieWebhookHmacKeys: ['new', 'old'] }],
  [{ DATABASE_URL: 'postgresql:///tasks' }, { databaseUrl: 'postgresql:///tasks' }],
  [
    { API_KEYS: ' ada:key-of-ada , ada:ada:again,,' },
    {
      apiKeys: [
        { owner: 'ada', key: 'key-of-ada' },
        { owner: 'ada', key: 'ada:again' },
      ],
    },
  ],
  [{ JWT_SECRET: `${SECRET}, ${'x'.repeat(32)}` }, { jwtSecret: [SECRET, 'x'.repeat(32)] }],
  [
    { JWT_JWKS_URL: 'https://login.example.com/keys?tenant=1' },
    { jwtJwksUrl: 'https://login.example.com/keys?tenant=1' },
  ],
  [{ TRUSTED_PROXIES: '10.0.0.0/8, ::1,fd00::/8' }, { trustedProxies: ['10.0.0.0/8', '::1', 'fd00::/8'] }],
  [{ ALLOWED_ORIGINS: 'HTTPS://App.Example.com:443/' }, { allowedOrigins: ['https://app.example.com'] }],
  [
    { ALLOWED_ORIGINS: 'capacitor://localhost/,app://my.app:8080,safari-web-extension://0B1C-4000' },
    { allowedOrigins: ['capacitor://localhost', 'app://my.app:8080', 'safari-web-extension://0B1C-4000'] },
  ],
  [{ https_proxy: 'p.example:3128' }, { httpsProxy: 'http://p.example:3128' }],
  [{ KIE_API_KEY: 'key', KIE_API_KEY_2: 'other', KIE_API_KEY2: 'third' }, { kieApiKey: 'key' }],
])('%j is read as %j', (env, config) => {
  expect(parseConfig(env)).toMatchObject(config);
});

it('settings and their lists cannot be changed', () => {
  const config = parseConfig({ ALLOWED_ORIGINS: 'https://app.example.com' });
  for (const value of [config, config.allowedOrigins, config.kieWebhookHmacKeys])
    expect(Object.isFrozen(value)).toBe(true);
});

it('a report lists every mistake at once, with the value, what is expected and an example', () => {
  const env = { PORT: '70000', GRAPHIQL: 'yes', KIE_APIKEY: 'key-123', LOG_LEVEL: 'inof' };
  expect(() => parseConfig(env)).toThrow(
    [
      'There are 4 mistakes in the environment:',
      '  - PORT="70000": expected an integer from 0 to 65535 (example: PORT=8080)',
      '  - LOG_LEVEL="inof": expected one of trace, debug, info, warn, error, fatal, silent; did you mean "info"? (example: LOG_LEVEL=debug)',
      '  - GRAPHIQL="yes": expected one of true, false, 1, 0 (example: GRAPHIQL=false)',
      '  - KIE_APIKEY is not a variable of Kineograph; did you mean KIE_API_KEY?',
    ].join('\n'),
  );
});

const ORIGIN = 'expected an absolute http(s) URL of scheme, host and port alone, without path';
const PAGE_ORIGIN =
  'expected an http(s) URL, or the origin of an app or extension such as capacitor://localhost';
const NETWORK = 'expected IP addresses or networks such as 10.0.0.0/8, not every address (/0)';
const JWKS = 'expected an absolute http(s) URL without user and password';

it.each<readonly [name: string, expected: string, values: readonly string[]]>([
  ['PORT', 'expected an integer from 0 to 65535', ['-1', '1.5', '1e3', '0x10', '4000x', '9'.repeat(20)]],
  ['DATABASE_CONNECTIONS', 'expected an integer from 1 to 1000', ['0', '1001', 'many']],
  ['TASK_RETENTION_DAYS', 'expected an integer from 1 to 36500', ['0']],
  ['MIGRATE', 'expected one of true, false, 1, 0', ['never']],
  ['MODELS', 'did you mean "KLING_2_6"?', ['KLING_26', 'WAN_2_7,kling_2_6']],
  ['HOST', 'expected an IP address or a host name', ['a b', '-', '127.1', 'http://127.0.0.1', 'host:4000']],
  [
    'PUBLIC_URL',
    ORIGIN,
    [
      'example.com',
      'ftp://example.com',
      'https:example.com',
      'https://a.example/b',
      'https://a.example?b',
      '*',
    ],
  ],
  [
    'ALLOWED_ORIGINS',
    PAGE_ORIGIN,
    ['null', '*', 'capacitor://', 'tauri://localhost/page', 'chrome-extension://*', 'ionic://user@localhost'],
  ],
  ['ALLOWED_ORIGINS', PAGE_ORIGIN, ['ws://app.example.com', 'file://localhost', 'httpss://app.example.com']],
  [
    'JWT_JWKS_URL',
    JWKS,
    ['login.example.com/jwks', 'ftp://login.example.com/jwks', '/jwks', 'file:///etc/jwks'],
  ],
  ['TRUSTED_PROXIES', NETWORK, ['proxy.example.com', '10.0.0.0/33', 'fd00::/129', '10.0.0/8', '10.0.0.1/']],
  ['TRUSTED_PROXIES', NETWORK, ['10.0.0.1:80', '*', 'true', '1', '0.0.0.0/0', '::/0']],
])('%s refuses what it does not hold: %s', (name, expected, values) => {
  const { example } = VARIABLES[name as keyof typeof VARIABLES];
  for (const value of values) {
    const [mistake, ...others] = mistakesIn({ [name]: value });
    expect(others).toEqual([]);
    expect(mistake?.startsWith(`${name}="`)).toBe(true);
    expect(mistake).toContain(expected);
    expect(mistake).toContain(`(example: ${name}=${example})`);
  }
});

const API_KEYS =
  'API_KEYS, item 2: expected items of the form owner:key, each key of at least 8 characters without spaces ' +
  '(example: API_KEYS=ada:a-long-random-key,ben:another-one)';
const DATABASE = 'DATABASE_URL: expected an address of the form postgres://user:password@host:port/database';

it.each<readonly [mistake: string, name: string, values: readonly string[]]>([
  [API_KEYS, 'API_KEYS', ['ben:key-of-ben,hush-hush-hush', 'ben:key-of-ben,:hush-hush-hush']],
  [API_KEYS, 'API_KEYS', ['ben:key-of-ben,ada l:hush-hush-hush', 'ben:key-of-ben,ada:hush-hu']],
  [API_KEYS, 'API_KEYS', ['ben:key-of-ben,ada:hush hush-hush', 'ben:key-of-ben,ada:hush-hüsh-hush']],
  [API_KEYS, 'API_KEYS', [`ben:key-of-ben,${'x'.repeat(256)}:hush-hush-hush`]],
  ['API_KEYS: ada and ben have the same key', 'API_KEYS', ['ada:hush-hush,ben:hush-hush,cy:key-of-cy']],
  ['JWT_SECRET is shorter than 32 characters', 'JWT_SECRET', ['hush', 'hush'.repeat(7), `${SECRET},hush`]],
  ['JWT_SECRET, item 2: expected visible ASCII', 'JWT_SECRET', [`${SECRET},hush ${'hush'.repeat(10)}`]],
  [
    `JWT_JWKS_URL="https://[redacted]@login.example.com/jwks": ${JWKS}`,
    'JWT_JWKS_URL',
    ['https://me:hush@login.example.com/jwks'],
  ],
  ['KIE_API_KEY: expected visible ASCII', 'KIE_API_KEY', ['hush hush', '"hush"']],
  ['KIE_WEBHOOK_HMAC_KEYS, item 2: expected visible', 'KIE_WEBHOOK_HMAC_KEYS', ['fine,"hush"']],
  ['KIE_API_KEYS is not a variable of Kineograph; did you mean KIE_API_KEY?', 'KIE_API_KEYS', ['hush']],
  ['DATABASE_ULR is not a variable of Kineograph', 'DATABASE_ULR', ['postgres://me:hush@db.example/tasks']],
  ['PUBLIC_URL="https://[redacted]@example.com"', 'PUBLIC_URL', ['https://me:hush/hush@example.com']],
  [DATABASE, 'DATABASE_URL', ['hush', 'me:hush@db.example/tasks', 'mysql://me:hush@db.example/tasks']],
  [DATABASE, 'DATABASE_URL', ['postgres//me:hush@db/tasks']],
  ['HTTPS_PROXY: expected the address of an HTTP proxy', 'HTTPS_PROXY', ['socks5://hush:1', 'http://']],
  [
    'HTTPS_PROXY: expected the address of an HTTP proxy',
    'HTTPS_PROXY',
    ['http://hush:1/path', 'http://u:%hush@p:1'],
  ],
])('one mistake is told of a value that may be a secret, and nothing of it: %s', (mistake, name, values) => {
  for (const value of values) {
    const [told, ...others] = mistakesIn({ [name]: value });
    expect(told).toContain(mistake);
    expect(told).not.toMatch(/hush/);
    expect(others).toEqual([]);
  }
});

it('white space alone is refused for every variable, and separators alone for every list', () => {
  for (const [name, { kind }] of Object.entries(VARIABLES)) {
    for (const value of [' ', '\n'])
      expect(mistakesIn({ [name]: value })).toContainEqual(
        expect.stringContaining(`${name} holds white space only`),
      );
    if (Array.isArray(kind.safeParse(undefined).data))
      expect(mistakesIn({ [name]: ' ,, ,' }).join()).toContain('expected at least one item');
  }
});

it('a ConfigError is all that ever goes wrong, whatever the values', () => {
  const names = Object.keys(VARIABLES);
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), fc.string()), (env) => {
      expect(Array.isArray(mistakesIn(env))).toBe(true);
    }),
    { numRuns: 300 },
  );
});

const OPEN = /API_KEYS=owner:key, JWT_JWKS_URL or JWT_SECRET.*HOST=127\.0\.0\.1.*ALLOW_ANONYMOUS=true/;
const OUT = { HOST: '0.0.0.0' };
const KEY_RING = 'ben:key-of-ben,ada:hush-hush-hush-hush';

describe('values that are wrong together are told in one mistake:', () => {
  it.each<readonly [env: Env, mistake: RegExp | null]>([
    ...['0.0.0.0', '::', '192.168.1.5', 'example.com', '[::]'].map((HOST) => [{ HOST }, OPEN] as const),
    ...['127.0.0.1', '127.8.9.1', '::1', '[::1]', 'LocalHost', '::ffff:127.0.0.1'].map(
      (HOST) => [{ HOST }, null] as const,
    ),
    [{ ...OUT, API_KEYS: '' }, OPEN],
    [{ ...OUT, ALLOW_ANONYMOUS: 'false', SHOW_CREDITS: 'true' }, OPEN],
    [{ ...OUT, ALLOW_ANONYMOUS: 'true' }, null],
    [{ ...OUT, API_KEYS: 'ada:key-of-ada' }, null],
    [{ ...OUT, JWT_SECRET: SECRET }, null],
    [{ ...OUT, JWT_JWKS_URL: JWKS_URL }, null],
    [{ ...OUT, ALLOW_ANONYMOUS: 'ture' }, /^ALLOW_ANONYMOUS.*did you mean "true"\?/],
    [{ ...OUT, API_KEYS: 'hush' }, /^API_KEYS/],
    [{ ...OUT, JWT_JWKS_URL: 'hush' }, /^JWT_JWKS_URL/],
    [{ ...OUT, JWT_SECRET: 'hush' }, /^JWT_SECRET/],
    [{ KIE_API_URL: 'http://127.0.0.1:9' }, /^KIE_API_URL is set without KIE_API_KEY.*the sandbox would/],
    [{ KIE_UPLOAD_URL: 'http://127.0.0.1:9' }, /^KIE_UPLOAD_URL is set without KIE_API_KEY/],
    [{ DATABASE_LISTEN_URL: 'postgres:///db' }, /^DATABASE_LISTEN_URL is set without DATABASE_URL/],
    [
      { TASK_RETENTION_DAYS: '1', TASK_DEADLINE_MS: '86400001' },
      /^TASK_RETENTION_DAYS=1: shorter than a task may take \(TASK_DEADLINE_MS=86400001\).*Set it to at least 2/,
    ],
    [{ API_KEYS: KEY_RING, METRICS_TOKEN: 'hush-hush-hush-hush' }, /^METRICS_TOKEN is the key of ada/],
    [{ API_KEYS: KEY_RING, METRICS_TOKEN: 'another-token-of-ours' }, null],
    [{ JWT_JWKS_URL: JWKS_URL, JWT_SECRET: SECRET }, /JWT_JWKS_URL and JWT_SECRET are both set.*Unset one/],
    [{ JWT_ISSUER: 'me' }, /JWT_ISSUER or JWT_AUDIENCE is set without/],
    [{ JWT_AUDIENCE: 'me' }, /JWT_ISSUER or JWT_AUDIENCE is set without/],
    [{ JWT_ISSUER: 'me', JWT_AUDIENCE: 'me', JWT_SECRET: SECRET }, null],
    [{ JWT_ISSUER: 'me', JWT_JWKS_URL: JWKS_URL }, null],
  ])('%j', (env, mistake) => {
    expect(mistakesIn(env)).toEqual(mistake ? [expect.stringMatching(mistake)] : []);
    expect(mistakesIn(env).join()).not.toContain('hush-hush');
    if (!mistake && env['HOST'] !== undefined)
      expect(isLoopback(parseConfig(env).host)).toBe(env['HOST'] !== '0.0.0.0');
  });
});

describe('variables that are not ours', () => {
  it.each([
    ['PUBLIC_ULR', 'PUBLIC_URL'],
    ['KIE_WEBHOOK_HMAC_KEY', 'KIE_WEBHOOK_HMAC_KEYS'],
    ['ALLOW_ORIGINS', 'ALLOWED_ORIGINS'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['LOG_LEVLE', 'LOG_LEVEL'],
    // Ignored, it would leave the gateway open.
    ['API_KEY', 'API_KEYS'],
    ['kie_api_key', 'KIE_API_KEY'],
  ])('%s is taken for a misspelt %s', (wrong, meant) => {
    expect(mistakesIn({ [wrong]: 'x' })).toEqual([
      `${wrong} is not a variable of Kineograph; did you mean ${meant}?`,
    ]);
  });

  it('are left alone where they are ordinary', () => {
    for (const name of ORDINARY.split(/\s+/)) expect([name, mistakesIn({ [name]: 'x' })]).toEqual([name, []]);
  });
});

it('.env.example shows each variable once, with a default or an example that is valid', () => {
  const shown = [...renderEnvExample().matchAll(/^# ([A-Z\d_]+)=(.+)$/gm)].map(([, name, value]) => [
    name,
    value,
  ]);
  expect(shown.map(([name]) => name)).toEqual(Object.keys(VARIABLES));
  const examples = Object.entries(VARIABLES).map(([name, { example }]) => [name, example]);
  for (const values of [shown, examples])
    for (const other of ['JWT_SECRET', 'JWT_JWKS_URL'])
      expect(mistakesIn({ ...(Object.fromEntries(values) as Env), [other]: '' })).toEqual([]);
  expect(Object.values(VARIABLES).every(({ description }) => description.endsWith('.'))).toBe(true);
});

it.each<readonly [env: Env, said: string]>([
  [{}, 'open, loopback only'],
  [{ ...OUT, ALLOW_ANONYMOUS: 'true' }, 'open to everyone (ALLOW_ANONYMOUS)'],
  [{ ...OUT, API_KEYS: 'ada:key-of-ada,ada:another-key' }, 'API keys of 1 owner'],
  [{ JWT_JWKS_URL: JWKS_URL }, `tokens signed by the keys at ${JWKS_URL}`],
  [
    { JWT_SECRET: SECRET, API_KEYS: 'ada:key-of-ada,ben:key-of-ben', ALLOW_ANONYMOUS: 'true' },
    'API keys of 2 owners, tokens signed with JWT_SECRET',
  ],
])('the start says who may call: %j is %s', (env, said) => {
  expect(describeAccess(parseConfig(env))).toBe(said);
});
