import { expect, test } from 'vitest';
import { variablesByGroup, type ListedVariable } from '../../scripts/docs/variables.ts';
import { TASKS } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { freePort, runBuilt, startBuilt } from '../kit/process.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { emptyDatabase } from '../kit/store.ts';

type Values = Readonly<Record<string, string>>;

/** Settings that depend on each other, or on something that has to be there, and are tried in one start. */
interface Start {
  readonly what: string;
  readonly names: readonly string[];
  /** Values in place of the examples, and what the start needs beside its settings. */
  readonly values: () => Values | Promise<Values>;
  readonly authorization?: string;
}

const API_KEYS = 'ada:a-long-random-key';
const authorization = 'Bearer a-long-random-key';

const TOGETHER: readonly Start[] = [
  {
    what: 'kie.ai, a database and the keys of an issuer',
    names: [
      'KIE_API_KEY',
      'KIE_API_URL',
      'KIE_UPLOAD_URL',
      'KIE_WEBHOOK_HMAC_KEYS',
      'CHECK_IMAGES',
      'DATABASE_URL',
      'DATABASE_LISTEN_URL',
      'DATABASE_CONNECTIONS',
      'MIGRATE',
      'JWT_JWKS_URL',
      'JWT_ISSUER',
      'JWT_AUDIENCE',
    ],
    values: async () => {
      const { url } = await startFakeProvider();
      const DATABASE_URL = await emptyDatabase();
      const database = { DATABASE_URL, DATA_DIR: await temporaryDir() };
      await runBuilt(['migrate'], database);
      return {
        ...database,
        DATABASE_LISTEN_URL: DATABASE_URL,
        KIE_API_URL: url,
        KIE_UPLOAD_URL: url,
        API_KEYS,
      };
    },
    authorization,
  },
  {
    what: 'a secret of tokens',
    names: ['JWT_SECRET', 'API_KEYS'],
    values: async () => ({ DATA_DIR: await temporaryDir(), API_KEYS }),
    authorization,
  },
  {
    what: 'callers without a name at another address',
    names: ['ALLOW_ANONYMOUS', 'HOST', 'PORT', 'DATA_DIR'],
    values: async () => ({ PORT: String(await freePort()), DATA_DIR: await temporaryDir() }),
  },
];

const ALL = [...variablesByGroup().values()].flat();
const NAMES = new Set(TOGETHER.flatMap(({ names }) => names));

/** A new setting is tried here unless it stands above. */
const STARTS: readonly Start[] = [
  ...TOGETHER,
  {
    what: 'everything that needs nothing else',
    names: ALL.map(({ name }) => name).filter((name) => !NAMES.has(name)),
    values: async () => ({ DATA_DIR: await temporaryDir(), API_KEYS }),
    authorization,
  },
];

test.each(STARTS)(
  'it starts and answers with other values than the defaults: $what',
  async ({ authorization: credential, names, values }) => {
    const examples = Object.fromEntries(names.map((name) => [name, otherThanDefault(name)]));
    const env = { ...examples, ...(await values()) };
    const gateway = await startBuilt({ ...env, DATA_DIR: env['DATA_DIR'] ?? '' });
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
    const headers = credential === undefined ? {} : { authorization: credential };
    const { body } = await graphql(gateway.graphqlUrl, TASKS, { first: 1 }, headers);
    expect(body).toMatchObject({ data: { tasks: { edges: [] } } });
  },
);

test('every setting is one of those', () => {
  const tried = STARTS.flatMap(({ names }) => names);
  expect(tried.sort()).toEqual(ALL.map(({ name }) => name).sort());
});

/** The example of the documentation, or a number beside the default. */
function otherThanDefault(name: string): string {
  const variable = ALL.find((one) => one.name === name);
  if (!variable) throw new Error(`There is no setting ${name}`);
  const { default: usual, example }: ListedVariable = variable;
  if (example !== usual) return example;
  if (!/^\d+$/.test(example)) throw new Error(`The example of ${name} is its default`);
  return String(Number(example) - 1);
}
