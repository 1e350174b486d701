import { z } from 'zod';
import { MODEL_IDS } from '../models/index.ts';
import {
  apiKeys,
  boolean,
  choice,
  databaseUrl,
  host,
  httpUrl,
  integer,
  list,
  network,
  optional,
  origin,
  pageOrigin,
  proxyUrl,
  secret,
} from './kinds.ts';

/** One variable: how its value is parsed, and what people read about it. */
export interface Variable<Kind extends z.ZodType = z.ZodType> {
  readonly kind: Kind;
  readonly group: string;
  readonly description: string;
  readonly example: string;
  /** Its value is never printed. */
  readonly isSecret: boolean;
}

const SECRET = { isSecret: true };

function group(name: string) {
  return <Kind extends z.ZodType>(
    kind: Kind,
    description: string,
    example = String(kind.parse(undefined)),
    { isSecret } = { isSecret: false },
  ): Variable<Kind> => ({ kind, group: name, description, example, isSecret });
}

const server = group('Server');
const kieAi = group('kie.ai');
const proxy = group('Proxy');
const storage = group('Storage');
const archive = group('Archive');
const access = group('Access');
const limits = group('Limits');
const times = group('Times');

/** A limit that always applies. */
function limit(standard: number, description: string, max = 1_000_000) {
  return limits(integer(1, max).default(standard), description);
}

/** A limit that applies only when it is set. */
function optionalLimit(description: string, example: number) {
  return limits(optional(integer(1, 1_000_000_000)), `${description} Off when unset.`, String(example));
}

export const DEFAULT_KIE_API_URL = 'https://api.kie.ai';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Every variable, in the order of the documents: the only source of parsing, of `.env.example` and of docs/configuration.md. */
export const VARIABLES = {
  PORT: server(integer(0, 65_535).default(4000), 'The TCP port to listen on; 0 takes a free one.', '8080'),
  HOST: server(
    host().default('127.0.0.1'),
    'The address to listen on. Anything but loopback opens the gateway to others: then say who may call (API_KEYS or JWT), or allow everyone (ALLOW_ANONYMOUS).',
    '0.0.0.0',
  ),
  PUBLIC_URL: server(
    optional(origin()),
    'The origin under which kie.ai reaches this gateway (scheme, host and port, no path). Without it kie.ai gets no callback URL and the gateway polls instead.',
    'https://video.example.com',
  ),
  SHUTDOWN_MS: server(
    integer(0, HOUR).default(65_000),
    'How long a shutdown waits, in milliseconds, for in-flight create requests; cutting one leaves its outcome unknown.',
  ),
  DRAIN_DELAY_MS: server(
    integer(0, HOUR).default(0),
    'How long a shutdown first continues to serve, in milliseconds, while /ready answers 503: as long as your load balancer needs to notice.',
    '5000',
  ),
  LOG_LEVEL: server(
    choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
    'The least important messages to log: trace, debug, info, warn, error, fatal or silent.',
    'debug',
  ),

  KIE_API_KEY: kieAi(
    optional(secret()),
    'The key from https://kie.ai/api-key. Without it a sandbox stands in for kie.ai: same behaviour, no charge, made-up videos.',
    'your-key',
    SECRET,
  ),
  KIE_API_URL: kieAi(
    origin().default(DEFAULT_KIE_API_URL),
    'The origin of the API. Needs KIE_API_KEY.',
    'http://127.0.0.1:4001',
  ),
  KIE_UPLOAD_URL: kieAi(
    optional(origin()),
    'The origin of the service that images are uploaded to. When unset it is https://kieai.redpandaai.co, or KIE_API_URL where that was set to something else than kie.ai. Needs KIE_API_KEY.',
    'https://kieai.redpandaai.co',
  ),
  CHECK_IMAGES: kieAi(
    boolean(false),
    'Check images that were not uploaded here before a task is charged: that a public URL serves them, their type, size and dimensions. Never goes through a proxy.',
    'true',
  ),
  KIE_WEBHOOK_HMAC_KEYS: kieAi(
    list(secret()),
    'The webhookHmacKey from https://kie.ai/settings; several between commas while you change it, any may match. Without it a callback is only a hint, after which the gateway polls kie.ai.',
    'new-key,old-key',
    SECRET,
  ),
  MODELS: kieAi(
    list(choice(MODEL_IDS)),
    'The models that clients may use, by their value in the GraphQL enum ImageToVideoModel. All models when unset. A client that names no model asks for HAILUO_02_PRO, and is refused when that is missing here.',
    'HAILUO_02_PRO,KLING_2_6',
  ),
  KIE_CREATES_PER_10S: kieAi(
    integer(1, 10_000).default(20),
    'Create requests allowed in 10 seconds; kie.ai admits 20 per account.',
  ),
  KIE_QUERIES_PER_S: kieAi(
    integer(1, 10_000).default(10),
    'Queries of task states allowed in a second; kie.ai admits 10 per key.',
  ),

  HTTPS_PROXY: proxy(
    optional(proxyUrl()),
    'The proxy (http or https) through which https addresses of kie.ai and of the issuer of tokens are called. Images that CHECK_IMAGES looks at are never fetched through a proxy.',
    'http://proxy.example.com:3128',
    SECRET,
  ),
  HTTP_PROXY: proxy(
    optional(proxyUrl()),
    'The same for http addresses.',
    'http://proxy.example.com:3128',
    SECRET,
  ),
  NO_PROXY: proxy(
    list(z.string()),
    'Hosts that are called without a proxy, between commas, with all hosts below them; host:port is one port, * every host.',
    'localhost,127.0.0.1,.internal.example.com',
  ),

  DATABASE_URL: storage(
    optional(databaseUrl()),
    'A PostgreSQL database in place of SQLite, for any number of processes that share it.',
    'postgres://kineograph:password@db.example.com:5432/kineograph',
    SECRET,
  ),
  DATABASE_LISTEN_URL: storage(
    optional(databaseUrl()),
    'The same database without a pooler, for notifications and migrations. Needed where DATABASE_URL leads through a pooler in transaction mode, such as PgBouncer.',
    'postgres://kineograph:password@db.example.com:5432/kineograph',
    SECRET,
  ),
  DATABASE_CONNECTIONS: storage(
    integer(1, 1000).default(10),
    'Connections of this process that read from PostgreSQL; one more writes, and one more listens.',
  ),
  MIGRATE: storage(
    boolean(true),
    'Run schema migrations at the start. When false, run "kineograph migrate" before the start.',
    'false',
  ),
  TASK_RETENTION_DAYS: storage(
    optional(integer(1, 36_500)),
    'Delete tasks so many days after they have ended, with their idempotency keys. When unset they are kept for ever.',
    '90',
  ),
  DATA_DIR: storage(
    z.string().default('./data'),
    "The directory of the SQLite database and of the sandbox's file. One process at a time. With DATABASE_URL and KIE_API_KEY it is used only while videos are copied.",
    '/var/lib/kineograph',
  ),

  ARCHIVE: archive(
    optional(choice(['disk', 's3', 'off'])),
    'Where copies of videos are kept, because kie.ai deletes them after days: disk (DATA_DIR/videos), s3, or off. When unset: disk, and off with DATABASE_URL.',
    's3',
  ),
  ARCHIVE_S3_URL: archive(
    optional(httpUrl()),
    'The endpoint of an S3-compatible store, with the bucket and a prefix if wanted as its path. Needed for ARCHIVE=s3.',
    'https://s3.eu-central-1.amazonaws.com/my-bucket/kineograph',
  ),
  AWS_REGION: archive(
    z.string().default('us-east-1'),
    'The region of the bucket; most other stores than AWS take any.',
    'eu-central-1',
  ),
  AWS_ACCESS_KEY_ID: archive(optional(z.string()), 'The access key for ARCHIVE_S3_URL.', 'AKIAEXAMPLE'),
  AWS_SECRET_ACCESS_KEY: archive(
    optional(z.string()),
    'The secret of AWS_ACCESS_KEY_ID.',
    'a-secret-access-key',
    SECRET,
  ),
  AWS_SESSION_TOKEN: archive(
    optional(z.string()),
    'The token that belongs to temporary credentials.',
    'a-session-token',
    SECRET,
  ),
  ARCHIVE_SERVE: archive(
    choice(['redirect', 'proxy']).default('redirect'),
    'How clients get videos from S3: redirected to a presigned URL that is valid for an hour, or through this gateway.',
    'proxy',
  ),
  ARCHIVE_CONCURRENCY: archive(integer(1, 100).default(2), 'How many videos are copied at a time.'),
  ARCHIVE_MAX_VIDEO_BYTES: archive(
    integer(1, 5_000_000_000).default(1_073_741_824),
    'The largest video that is copied, in bytes. A larger one counts as lost.',
  ),
  ARCHIVE_KEEP_DAYS: archive(
    optional(integer(1, 36_500)),
    'Delete copies so many days after they were stored. When unset they are kept as long as their tasks.',
    '365',
  ),
  ARCHIVE_MAX_BYTES: archive(
    optional(integer(1, 999_999_999_999_999)),
    'Bytes that all copies may take. Beyond it the oldest are deleted. No limit when unset.',
    '500000000000',
  ),

  API_KEYS: access(
    apiKeys(),
    'Keys that callers send as "Authorization: Bearer <key>", each with the owner whose tasks it opens. An owner may have several.',
    'ada:a-long-random-key,ben:another-one',
    SECRET,
  ),
  JWT_JWKS_URL: access(
    optional(httpUrl()),
    "Where the issuer of tokens publishes its keys. A token's owner is its claim sub; exp is required.",
    'https://login.example.com/.well-known/jwks.json',
  ),
  JWT_SECRET: access(
    list(secret()),
    'The secret of tokens that are signed with HS256, in place of JWT_JWKS_URL: at least 32 characters. Several between commas while you change it; any may match.',
    'a-random-secret-of-at-least-32-characters',
    SECRET,
  ),
  JWT_ISSUER: access(
    optional(z.string()),
    'What the claim iss of a token must be; not checked when unset.',
    'https://login.example.com/',
  ),
  JWT_AUDIENCE: access(
    optional(z.string()),
    'What the claim aud of a token must hold; not checked when unset.',
    'kineograph',
  ),
  SHOW_CREDITS: access(
    boolean(false),
    "Show the balance of the provider's account to callers; without API keys and tokens it is always shown.",
    'true',
  ),
  METRICS_TOKEN: access(
    optional(secret(16)),
    'What a scraper sends as "Authorization: Bearer <token>" to read /metrics. Without it only this machine can read /metrics, and with TRUSTED_PROXIES nobody can.',
    'a-long-random-token',
    SECRET,
  ),
  TRUSTED_PROXIES: access(
    list(network()),
    'Addresses or networks of the proxies in front, between commas. Their X-Forwarded-* and X-Request-Id headers are trusted.',
    '10.0.0.0/8',
  ),
  ALLOWED_ORIGINS: access(
    list(pageOrigin()),
    'Origins of web pages, apps and browser extensions, between commas, that may call (CORS and WebSocket): https://app.example.com, capacitor://localhost, chrome-extension://<id>. Pages of the gateway itself always may, and pages of this machine while it listens on loopback.',
    'https://app.example.com,http://localhost:5173',
  ),
  ALLOW_ANONYMOUS: access(
    boolean(false),
    'Without API keys and tokens, serve everyone who can reach the address. Whoever that is spends your credits.',
    'true',
  ),
  INTROSPECTION: access(boolean(true), 'Let clients ask for the schema.', 'false'),
  GRAPHIQL: access(boolean(true), 'Serve GraphiQL to browsers at /graphql.', 'false'),

  MAX_BODY_BYTES: limit(262_144, 'Bytes of a request body or a socket message.', 16_777_216),
  REQUEST_TIMEOUT_MS: limit(
    120_000,
    'How long a whole request may take to arrive, in milliseconds: 30 MB at 2 Mbit/s take two minutes.',
    3_600_000,
  ),
  MAX_UPLOADS: limit(
    100,
    'Concurrent uploads, of at most 30 MB each. One owner may have half of them; its first one is always accepted.',
  ),
  OVERLOAD_DELAY_MS: limits(
    integer(0, 60_000).default(1000),
    'Event-loop lag threshold for shedding load, in milliseconds on average over some seconds. Beyond it new requests, uploads and sockets are refused with 503, callbacks never. Writes that wait five times as long, or 90 % of the memory in use, count as well. 0 switches it off.',
  ),
  MAX_DEPTH: limit(10, 'Levels of fields in an operation.'),
  MAX_ALIASES: limit(15, 'Aliases in an operation.'),
  MAX_DIRECTIVES: limit(5, 'Directives in an operation.'),
  MAX_TOKENS: limit(1000, 'Lexical tokens in an operation.'),
  MAX_LIST_ITEMS: limit(200, 'Items that all lists of an operation may request together, by `first`.'),
  MAX_SUBSCRIPTIONS_PER_SOCKET: limit(100, 'Operations that may run on one socket at a time.'),
  MAX_OPERATIONS_PER_SECOND: limit(50, 'Operations that one socket may begin in a second.'),
  MAX_SOCKETS_PER_OWNER: optionalLimit('Sockets and event streams that one owner may have open.', 1000),
  MAX_SOCKETS_PER_ADDRESS: optionalLimit('Sockets and event streams that one address may have open.', 100),
  MAX_REQUESTS_PER_MINUTE: optionalLimit(
    'Requests over HTTP and operations over sockets, together, that one owner may send in a minute.',
    600,
  ),
  MAX_CREATES_PER_MINUTE: optionalLimit('Tasks that one owner may create in a minute.', 10),
  MAX_CREATES_PER_DAY: optionalLimit('Tasks that one owner may create in 24 hours.', 200),

  CREATE_WAIT_MS: times(
    integer(0, HOUR).default(15_000),
    'How long the mutation waits for kie.ai, in milliseconds, before it answers with a task in state SUBMITTING.',
    '5000',
  ),
  CREATE_TIMEOUT_MS: times(
    integer(1, HOUR).default(60_000),
    'How long one create request may take, in milliseconds, before its outcome counts as unknown.',
  ),
  SUBMIT_DEADLINE_MS: times(
    integer(0, DAY).default(900_000),
    'How long a create that kie.ai does not take now is tried again, in milliseconds, before the task fails.',
  ),
  SUBMISSION_GRACE_MS: times(
    integer(0, DAY).default(1_800_000),
    'How long a task whose create has an unknown outcome waits for a callback, in milliseconds, before it fails.',
  ),
  TASK_DEADLINE_MS: times(
    integer(1, 7 * DAY).default(86_400_000),
    'How long a task may take altogether, in milliseconds, before it fails as EXPIRED.',
  ),
  SLOW_READER_MS: times(
    integer(1, HOUR).default(30_000),
    'How long a client may take nothing of what is sent to it, over a socket or in an answer, in milliseconds, before its connection is closed.',
  ),
};

type Values = { [Name in keyof typeof VARIABLES]: z.output<(typeof VARIABLES)[Name]['kind']> };

type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>}${Capitalize<CamelCase<Tail>>}`
  : Lowercase<Name>;

/** The settings of one process, frozen: each variable under its name in camel case (`PUBLIC_URL`: `publicUrl`). */
export type Config = { readonly [Name in keyof Values as CamelCase<Name>]: Values[Name] };
