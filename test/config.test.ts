import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../src/config/config.ts';
import { ConfigError } from '../src/config/config-error.ts';
import { isLoopback } from '../src/config/loopback.ts';
import { VARIABLES } from '../src/config/variables.ts';
import { renderEnvExample } from '../scripts/docs/env-example.ts';
import { reportOf } from './kit/documentation.ts';

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

describe('an environment without mistakes', () => {
  it('needs nothing: every setting has a default', () => {
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
      kieCreatesPer10s: 20,
      kieQueriesPerS: 10,
    });
  });

  it('takes an empty value for an unset one', () => {
    const empty = Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, '']));
    expect(parseConfig(empty)).toEqual(parseConfig({}));
  });

  it('ignores white space around a value, as a secret read from a file has it', () => {
    expect(parseConfig({ KIE_API_KEY: 'key-123\n' }).kieApiKey).toBe('key-123');
  });

  it.each([
    ['true', true],
    ['1', true],
    ['false', false],
    ['0', false],
  ])('reads the switch %s as %s', (text, value) => {
    expect(parseConfig({ INTROSPECTION: text }).introspection).toBe(value);
  });

  it('lets the system choose the port', () => {
    expect(parseConfig({ PORT: '0' }).port).toBe(0);
  });

  it('normalises origins and drops their trailing slash', () => {
    const { publicUrl, kieApiUrl } = parseConfig({
      PUBLIC_URL: 'HTTPS://Video.Example.com:443/',
      KIE_API_URL: 'http://127.0.0.1:4001/',
      KIE_API_KEY: 'key',
    });
    expect({ publicUrl, kieApiUrl }).toEqual({
      publicUrl: 'https://video.example.com',
      kieApiUrl: 'http://127.0.0.1:4001',
    });
  });

  it('trims the items of a list and drops empty ones and repetitions', () => {
    expect(parseConfig({ KIE_WEBHOOK_HMAC_KEYS: ' new , old,, new,' }).kieWebhookHmacKeys).toEqual([
      'new',
      'old',
    ]);
  });

  it('cannot be changed, neither the settings nor their lists', () => {
    const config = parseConfig({ ALLOWED_ORIGINS: 'https://app.example.com' });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.allowedOrigins)).toBe(true);
    expect(Object.isFrozen(parseConfig({}).kieWebhookHmacKeys)).toBe(true);
  });
});

describe('a report', () => {
  it('lists every mistake at once, with the value, what is expected and an example', () => {
    expect(reportOf({ PORT: '70000', GRAPHIQL: 'yes', KIE_APIKEY: 'key-123', LOG_LEVEL: 'inof' })).toBe(
      [
        'There are 4 mistakes in the environment:',
        '  - PORT="70000": expected an integer from 0 to 65535 (example: PORT=8080)',
        '  - LOG_LEVEL="inof": expected one of trace, debug, info, warn, error, fatal, silent; did you mean "info"? (example: LOG_LEVEL=debug)',
        '  - GRAPHIQL="yes": expected one of true, false, 1, 0 (example: GRAPHIQL=false)',
        '  - KIE_APIKEY is not a variable of Kineograph; did you mean KIE_API_KEY?',
      ].join('\n'),
    );
  });

  it.each(['-1', '1.5', '1e3', '0x10', '4000x', '99999999999999999999'])(
    'refuses %s as an integer',
    (value) => {
      expect(reportOf({ PORT: value })).toContain(`PORT="${value}": expected an integer from 0 to 65535`);
    },
  );

  it.each([
    'example.com',
    'ftp://example.com',
    'https:example.com',
    'https://a.example/b',
    'https://a.example?b',
    '*',
  ])('refuses %s as an origin and says that only scheme, host and port belong there', (value) => {
    expect(reportOf({ PUBLIC_URL: value })).toContain(
      `PUBLIC_URL="${value}": expected an absolute http(s) URL of scheme, host and port alone, without path`,
    );
  });

  it.each([' ', '\n'])('refuses %j for every variable: it is neither a value nor unset', (value) => {
    for (const name of Object.keys(VARIABLES))
      expect(reportOf({ [name]: value })).toContain(`- ${name} holds white space only`);
  });

  it('refuses separators alone for every list', () => {
    const lists = Object.entries(VARIABLES).filter(([, { kind }]) =>
      Array.isArray(kind.safeParse(undefined).data),
    );
    expect(lists.length).toBeGreaterThan(4);
    for (const [name] of lists) expect(reportOf({ [name]: ' ,, ,' })).toContain('expected at least one item');
  });

  it('points at the wrong item of a list', () => {
    expect(reportOf({ ALLOWED_ORIGINS: 'https://a.example,,https://*.b.example' })).toContain(
      ', item 2: expected',
    );
  });

  it.each(['a b', '-', '127.1', 'http://127.0.0.1', 'host:4000'])('refuses %s as a host', (value) => {
    expect(reportOf({ HOST: value })).toContain(`HOST="${value}": expected an IP address or a host name`);
  });

  it('never shows a secret, a value under a misspelt name or the password in a URL', () => {
    const report = reportOf({
      KIE_API_KEY: 'hush hush',
      KIE_WEBHOOK_HMAC_KEYS: 'fine,"hush"',
      KIE_API_KEYS: 'hush',
      PUBLIC_URL: 'https://me:hush/hush@example.com',
      DATABASE_URL: 'postgres://me:hush@localhost/db',
      JWT_SECRET: 'hush',
    });
    expect(report).toContain('KIE_API_KEY: expected visible ASCII');
    expect(report).toContain('KIE_WEBHOOK_HMAC_KEYS, item 2: expected visible ASCII');
    expect(report).not.toContain('hush');
  });

  it('is all that ever goes wrong, whatever the values', () => {
    const names = Object.keys(VARIABLES);
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), fc.string()), (env) => {
        try {
          parseConfig(env);
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('values that are wrong together', () => {
  it.each(['0.0.0.0', '::', '192.168.1.5', 'example.com', '[::]'])(
    'HOST %s needs ALLOW_ANONYMOUS, and the report says why and both ways out',
    (host) => {
      const report = reportOf({ HOST: host });
      expect(report).toContain('spends your kie.ai credits');
      expect(report).toContain('HOST=127.0.0.1');
      expect(report).toContain('ALLOW_ANONYMOUS=true');
      expect(parseConfig({ HOST: host, ALLOW_ANONYMOUS: 'true' }).allowAnonymous).toBe(true);
    },
  );

  it.each(['127.0.0.1', '127.8.9.1', '::1', '[::1]', 'localhost', 'LocalHost', '::ffff:127.0.0.1'])(
    'HOST %s needs no permission',
    (host) => {
      expect(isLoopback(parseConfig({ HOST: host }).host)).toBe(true);
    },
  );

  it('do not add a second mistake about a switch that cannot be read', () => {
    expect(reportOf({ HOST: '0.0.0.0', ALLOW_ANONYMOUS: 'ture' })).toMatch(
      /There is 1 mistake.*did you mean "true"\?/s,
    );
  });

  it.each(['KIE_API_URL', 'KIE_UPLOAD_URL'])(
    '%s needs KIE_API_KEY, since the sandbox would answer instead',
    (name) => {
      const report = reportOf({ [name]: 'http://127.0.0.1:9000' });
      expect(report).toContain(`${name} is set without KIE_API_KEY`);
      expect(report).toContain('the sandbox would answer instead');
    },
  );
});

describe('variables that are not ours', () => {
  it.each([
    ['KIE_APIKEY', 'KIE_API_KEY'],
    ['PUBLIC_ULR', 'PUBLIC_URL'],
    ['KIE_WEBHOOK_HMAC_KEY', 'KIE_WEBHOOK_HMAC_KEYS'],
    ['ALLOW_ORIGINS', 'ALLOWED_ORIGINS'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['LOG_LEVLE', 'LOG_LEVEL'],
    // Ignored, it would leave the gateway open.
    ['API_KEY', 'API_KEYS'],
    ['kie_api_key', 'KIE_API_KEY'],
  ])('%s is taken for a misspelt %s', (wrong, meant) => {
    expect(reportOf({ [wrong]: 'x' })).toContain(
      `${wrong} is not a variable of Kineograph; did you mean ${meant}?`,
    );
  });

  it('are left alone when the variable they resemble is set as well', () => {
    expect(parseConfig({ KIE_API_KEY: 'key', KIE_API_KEY_2: 'other', KIE_API_KEY2: 'third' }).kieApiKey).toBe(
      'key',
    );
  });

  it.each(ORDINARY.split(/\s+/))('%s never trips the guess', (name) => {
    expect(parseConfig({ [name]: 'x' })).toEqual(parseConfig({}));
  });
});

describe('.env.example', () => {
  it('shows each variable once, with a default or an example that is valid', () => {
    const shown = [...renderEnvExample().matchAll(/^# ([A-Z\d_]+)=(.+)$/gm)].map(([, name, value]) => [
      name,
      value,
    ]);
    expect(shown.map(([name]) => name)).toEqual(Object.keys(VARIABLES));
    const values = Object.fromEntries(shown) as Record<string, string>;
    for (const way of waysToSignTokens(values)) expect(() => parseConfig(way)).not.toThrow();
  });

  it('has descriptions and examples that hold: every example is accepted', () => {
    const examples = Object.fromEntries(
      Object.entries(VARIABLES).map(([name, { example }]) => [name, example]),
    );
    for (const way of waysToSignTokens(examples)) expect(() => parseConfig(way)).not.toThrow();
    expect(Object.values(VARIABLES).every(({ description }) => description.endsWith('.'))).toBe(true);
  });
});

/** The two ways exclude each other. */
function waysToSignTokens(values: Readonly<Record<string, string>>): Record<string, string>[] {
  return [
    { ...values, JWT_SECRET: '' },
    { ...values, JWT_JWKS_URL: '' },
  ];
}
