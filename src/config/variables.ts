import { factsOf, type Facts, facts } from './facts.ts';
import { z } from 'zod';
import { access } from './access-variables.ts';
import { boolean, choice, databaseUrl, directory, host, integer, list, origin, secret } from './kinds.ts';
import { limits, proxies } from './limit-variables.ts';

/** One variable as people read about it. */
export interface Variable extends Facts {
  readonly name: string;
  /** As it would be written in the environment; null when the variable is unset by default. */
  readonly default: string | null;
}

/** Every variable of the schema, in its order, for `.env.example` and the docs. */
export function listVariables(): readonly Variable[] {
  return Object.entries(environment.shape).map(([name, variable]) => {
    const value = variable.parse(undefined);
    const isUnset = value === null || typeof value === 'object';
    return { name, default: isUnset ? null : String(value), ...factsOf(variable) };
  });
}

/** The same in their groups, both in the order of the schema. */
export function variablesByGroup(): ReadonlyMap<string, readonly Variable[]> {
  const groups = new Map<string, Variable[]>();
  for (const variable of listVariables()) {
    groups.set(variable.group, [...(groups.get(variable.group) ?? []), variable]);
  }
  return groups;
}

export const DEFAULT_KIE_API_URL = 'https://api.kie.ai';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const server = {
  PORT: integer(0, 65_535).default(4000).register(facts, {
    group: 'Server',
    description: 'The TCP port to listen on; 0 takes a free one.',
    example: '8080',
  }),
  HOST: host().default('127.0.0.1').register(facts, {
    group: 'Server',
    description:
      'The address to listen on. Anything but loopback opens the gateway to others: then say who may call (API_KEYS or JWT), or allow everyone (ALLOW_ANONYMOUS).',
    example: '0.0.0.0',
  }),
  PUBLIC_URL: origin().nullable().default(null).register(facts, {
    group: 'Server',
    description:
      'The origin under which kie.ai reaches this gateway (scheme, host and port, no path). Without it kie.ai gets no callback URL and the gateway polls instead.',
    example: 'https://video.example.com',
  }),
  SHUTDOWN_MS: integer(0, HOUR).default(65_000).register(facts, {
    group: 'Server',
    description:
      'How long a shutdown waits, in milliseconds, for in-flight create requests; cutting one leaves its outcome unknown.',
    example: '65000',
  }),
  DRAIN_DELAY_MS: integer(0, HOUR).default(0).register(facts, {
    group: 'Server',
    description:
      'How long a shutdown first continues to serve, in milliseconds, while /ready answers 503: as long as your load balancer needs to notice.',
    example: '5000',
  }),
  LOG_LEVEL: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .register(facts, {
      group: 'Server',
      description: 'The least important messages to log: trace, debug, info, warn, error, fatal or silent.',
      example: 'debug',
    }),
};

const provider = {
  KIE_API_KEY: secret().nullable().default(null).register(facts, {
    group: 'kie.ai',
    description:
      'The key from https://kie.ai/api-key. Without it a sandbox stands in for kie.ai: same behaviour, no charge, made-up videos.',
    example: 'your-key',
    secret: true,
  }),
  KIE_API_URL: origin().default(DEFAULT_KIE_API_URL).register(facts, {
    group: 'kie.ai',
    description: 'The origin of the API. Needs KIE_API_KEY.',
    example: 'http://127.0.0.1:4001',
  }),
  KIE_UPLOAD_URL: origin().nullable().default(null).register(facts, {
    group: 'kie.ai',
    description:
      'The origin of the service that images are uploaded to. When unset it is https://kieai.redpandaai.co, or KIE_API_URL where that was set to something else than kie.ai. Needs KIE_API_KEY.',
    example: 'https://kieai.redpandaai.co',
  }),
  CHECK_IMAGES: boolean().default(false).register(facts, {
    group: 'kie.ai',
    description:
      'Check images that were not uploaded here before a task is charged: that a public URL serves them, their type, size and dimensions. Never goes through a proxy.',
    example: 'true',
  }),
  KIE_WEBHOOK_HMAC_KEYS: list(secret()).register(facts, {
    group: 'kie.ai',
    description:
      'The webhookHmacKey from https://kie.ai/settings; several between commas while you change it, any may match. Without it a callback is only a hint, after which the gateway polls kie.ai.',
    example: 'new-key,old-key',
    secret: true,
  }),
  KIE_CREATES_PER_10S: integer(1, 10_000).default(20).register(facts, {
    group: 'kie.ai',
    description: 'Create requests allowed in 10 seconds; kie.ai admits 20 per account.',
    example: '20',
  }),
  KIE_QUERIES_PER_S: integer(1, 10_000).default(10).register(facts, {
    group: 'kie.ai',
    description: 'Queries of task states allowed in a second; kie.ai admits 10 per key.',
    example: '10',
  }),
};

const storage = {
  DATABASE_URL: databaseUrl().nullable().default(null).register(facts, {
    group: 'Storage',
    description: 'A PostgreSQL database in place of SQLite, for any number of processes that share it.',
    example: 'postgres://kineograph:password@db.example.com:5432/kineograph',
    secret: true,
  }),
  DATABASE_LISTEN_URL: databaseUrl().nullable().default(null).register(facts, {
    group: 'Storage',
    description:
      'The same database without a pooler, for notifications and migrations. Needed where DATABASE_URL leads through a pooler in transaction mode, such as PgBouncer.',
    example: 'postgres://kineograph:password@db.example.com:5432/kineograph',
    secret: true,
  }),
  DATABASE_CONNECTIONS: integer(1, 1000).default(10).register(facts, {
    group: 'Storage',
    description:
      'Connections of this process that read from PostgreSQL; one more writes, and one more listens.',
    example: '10',
  }),
  MIGRATE: boolean().default(true).register(facts, {
    group: 'Storage',
    description: 'Run schema migrations at the start. When false, run "kineograph migrate" before the start.',
    example: 'false',
  }),
  TASK_RETENTION_DAYS: integer(1, 36_500).nullable().default(null).register(facts, {
    group: 'Storage',
    description:
      'Delete tasks so many days after they have ended, with their idempotency keys. When unset they are kept for ever.',
    example: '90',
  }),
  DATA_DIR: directory().default('./data').register(facts, {
    group: 'Storage',
    description:
      "The directory of the SQLite database and of the sandbox's file. One process at a time. With DATABASE_URL and KIE_API_KEY it is not used.",
    example: '/var/lib/kineograph',
  }),
};

const times = {
  CREATE_WAIT_MS: integer(0, HOUR).default(15_000).register(facts, {
    group: 'Times',
    description:
      'How long the mutation waits for kie.ai, in milliseconds, before it answers with a task in state SUBMITTING.',
    example: '5000',
  }),
  CREATE_TIMEOUT_MS: integer(1, HOUR).default(60_000).register(facts, {
    group: 'Times',
    description:
      'How long one create request may take, in milliseconds, before its outcome counts as unknown.',
    example: '60000',
  }),
  SUBMIT_DEADLINE_MS: integer(0, DAY).default(900_000).register(facts, {
    group: 'Times',
    description:
      'How long a create that kie.ai does not take now is tried again, in milliseconds, before the task fails.',
    example: '900000',
  }),
  SUBMISSION_GRACE_MS: integer(0, DAY).default(1_800_000).register(facts, {
    group: 'Times',
    description:
      'How long a task whose create has an unknown outcome waits for a callback, in milliseconds, before it fails.',
    example: '1800000',
  }),
  TASK_DEADLINE_MS: integer(1, 7 * DAY)
    .default(86_400_000)
    .register(facts, {
      group: 'Times',
      description: 'How long a task may take altogether, in milliseconds, before it fails as EXPIRED.',
      example: '86400000',
    }),
  SLOW_READER_MS: integer(1, HOUR).default(30_000).register(facts, {
    group: 'Times',
    description:
      'How long a client may take nothing of what is sent to it, over a socket or in an answer, in milliseconds, before its connection is closed.',
    example: '30000',
  }),
};

/** Every variable Kineograph knows: the one source of its parsing, of `.env.example` and of the docs. */
export const environment = z.object({
  ...server,
  ...provider,
  ...proxies,
  ...storage,
  ...access,
  ...limits,
  ...times,
});

/** The parsed values under the names of their variables. */
export type Values = z.output<typeof environment>;
