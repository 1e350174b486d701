import { expect, test } from 'vitest';
import { variablesByGroup } from '../../scripts/docs/variables.ts';
import { TASKS } from '../kit/documents.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { freePort, runBuilt, startBuilt } from '../kit/process.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { emptyDatabase } from '../kit/store.ts';

const API_KEYS = 'ada:a-long-random-key';
const ALL = [...variablesByGroup().values()].flat();

/**
 * Settings that depend on each other, or on something that has to be there, are tried in one start: with these values in place
 * of their examples, or beside them. A new setting is tried with the others unless it stands here.
 */
const TOGETHER = [
  {
    what: 'kie.ai, a database and the keys of an issuer',
    names:
      'KIE_API_KEY KIE_API_URL KIE_UPLOAD_URL KIE_WEBHOOK_HMAC_KEYS CHECK_IMAGES DATABASE_URL DATABASE_LISTEN_URL DATABASE_CONNECTIONS MIGRATE JWT_JWKS_URL JWT_ISSUER JWT_AUDIENCE',
    values: async () => {
      const { url } = await startFakeProvider();
      const DATABASE_URL = await emptyDatabase();
      await runBuilt(['migrate'], { DATABASE_URL, DATA_DIR: await temporaryDir() });
      return {
        API_KEYS,
        DATABASE_URL,
        DATABASE_LISTEN_URL: DATABASE_URL,
        KIE_API_URL: url,
        KIE_UPLOAD_URL: url,
      };
    },
  },
  { what: 'a secret of tokens', names: 'JWT_SECRET API_KEYS', values: () => ({ API_KEYS }) },
  {
    what: 'callers without a name at another address',
    names: 'ALLOW_ANONYMOUS HOST PORT DATA_DIR',
    values: async () => ({ PORT: String(await freePort()) }),
  },
].map((start) => ({ ...start, names: start.names.split(' ') }));

const OTHERS = {
  what: 'everything that needs nothing else',
  names: ALL.map(({ name }) => name).filter((name) => !TOGETHER.some(({ names }) => names.includes(name))),
  values: () => ({ API_KEYS }),
};

test.each([...TOGETHER, OTHERS])(
  'it starts and answers with other values than the defaults: $what',
  async ({ names, values }) => {
    const env: Readonly<Record<string, string>> = {
      ...Object.fromEntries(names.map((name) => [name, otherThanDefault(name)])),
      ...(await values()),
    };
    const gateway = await startBuilt({ ...env, DATA_DIR: await temporaryDir() });
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
    const headers = { ...(env['API_KEYS'] === API_KEYS && { authorization: 'Bearer a-long-random-key' }) };
    const { body } = await graphql(gateway.graphqlUrl, TASKS, { first: 1 }, headers);
    expect(body).toMatchObject({ data: { tasks: { edges: [] } } });
  },
);

/** The example of the documentation, or a number beside the default. Throws where there is no such setting. */
function otherThanDefault(name: string): string {
  const { default: usual, example } = ALL.find((variable) => variable.name === name) ?? {};
  if (example !== undefined && example !== usual) return example;
  if (!/^\d+$/.test(example ?? '')) throw new Error(`${name} has no example beside its default`);
  return String(Number(example) - 1);
}
