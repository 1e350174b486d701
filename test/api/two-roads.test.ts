import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { StoreUnavailableError } from '../../src/tasks/store.ts';
import { API_KEYS, bearer } from '../limits/asking.ts';
import { CREATE, TASK, TASKS, TASKS_UPDATED, input } from '../support/documents.ts';
import { startFakeProvider } from '../support/fake-provider.ts';
import { startGateway, type Gateway, type GatewayOptions } from '../support/gateway.ts';
import { created, refused } from '../support/kie.ts';
import { stopTheClock } from '../support/stopped-clock.ts';

type Params = Readonly<Record<string, unknown>>;
type Headers = Readonly<Record<string, string>>;

/** What came over the wire, without what names the moment. */
interface Answer {
  readonly status: string;
  readonly headers: readonly string[];
  readonly body: string;
}

const NEW = 'application/graphql-response+json';
/** What keeps a request from the short road, and says nothing. */
const UNUSUAL = { extensions: {} };
const KEY = 'a key of ours';

async function start(options: GatewayOptions = {}): Promise<Gateway> {
  const provider = await startFakeProvider();
  provider.answer('createTask', created('kie-1'));
  provider.always('createTask', refused(402, 'No credits'));
  return startGateway({ provider, ...options });
}

function ask({ graphqlUrl }: Gateway, params: Params, headers: Headers): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const all = { 'content-type': 'application/json', ...headers };
    const sending = request(graphqlUrl, { method: 'POST', headers: all, agent: false }, (answer) => {
      const { rawHeaders, statusCode, statusMessage } = answer;
      const names = rawHeaders.filter((_, index) => index % 2 === 0);
      const fields = names.map((name, index) => `${name}: ${rawHeaders[index * 2 + 1] ?? ''}`);
      let body = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      answer.once('end', () => {
        const headers = fields.filter((field) => !field.startsWith('Date: ')).toSorted();
        resolve({ status: `${statusCode ?? 0} ${statusMessage ?? ''}`, headers, body });
      });
    });
    sending.on('error', reject).end(JSON.stringify(params));
  });
}

/** Over both roads, the engine's in the middle: neither may learn from what the other left behind. */
async function expectSame(gateway: Gateway, params: Params, headers: Headers = {}): Promise<Answer> {
  const short = await ask(gateway, params, headers);
  const long = await ask(gateway, { ...params, ...UNUSUAL }, headers);
  expect(short).toEqual(long);
  expect(await ask(gateway, params, headers)).toEqual(long);
  return long;
}

const fields = (depth: number): string => (depth === 0 ? '__typename' : `a { ${fields(depth - 1)} }`);
const aliases = Array.from({ length: 16 }, (_, index) => `a${index}: __typename`).join(' ');

/** Operations, and the beginning of what comes of each. */
const OPERATIONS: readonly (readonly [what: string, params: Params, expected: RegExp])[] = [
  ['data', { query: '{ __typename }' }, /^\{"data":\{"__typename":"Query"\}\}$/],
  ['data that is null', { query: TASK, variables: { id: 'nobody' } }, /^\{"data":\{"task":null\}\}$/],
  ['a list', { query: TASKS, variables: {} }, /^\{"data":\{"tasks"/],
  [
    'signs of many bytes',
    { query: '{ __type(name: "电影 🎬") { name } }' },
    /^\{"data":\{"__type":null\}\}$/,
  ],
  ['nulls', { query: '{ __typename }', variables: null, operationName: null }, /^\{"data"/],
  [
    'a named operation',
    { query: 'query A { a: __typename } query B { b: __typename }', operationName: 'B' },
    /"b"/,
  ],
  ['no such operation', { query: 'query A { a: __typename }', operationName: 'C' }, /OPERATION_RESOLUTION/],
  [
    'one of several, unnamed',
    { query: 'query A { a: __typename } query B { b: __typename }' },
    /OPERATION_RES/,
  ],
  ['only a fragment', { query: 'fragment F on Query { __typename }' }, /^\{"errors"/],
  ['a syntax error', { query: '{ tasks {' }, /GRAPHQL_PARSE_FAILED/],
  ['no text', { query: '' }, /Syntax Error/],
  ['an unknown field', { query: '{ nope }' }, /GRAPHQL_VALIDATION_FAILED/],
  ['a variable of a wrong type', { query: TASK, variables: { id: {} } }, /BAD_USER_INPUT/],
  ['a variable that is missing', { query: TASK }, /BAD_USER_INPUT/],
  ['a cursor that is none', { query: TASKS, variables: { after: 'x' } }, /^\{"errors"/],
  ['too many levels', { query: `{ ${fields(11)} }` }, /OPERATION_TOO_LARGE/],
  ['too many aliases', { query: `{ ${aliases} }` }, /OPERATION_TOO_LARGE/],
  ['too many words', { query: `{ ${'__typename '.repeat(1001)} }` }, /OPERATION_TOO_LARGE/],
  [
    'input that will not do',
    { query: CREATE, variables: { input: input({ prompt: '' }) } },
    /ValidationError/,
  ],
  ['a refusal by the provider', { query: CREATE, variables: { input: input() } }, /ProviderError/],
];

describe.each([undefined, '*/*', 'application/json', NEW, `${NEW}, application/json`])(
  'to a client that accepts %s the short road and the engine give the same answer',
  (accept) => {
    const headers: Headers = accept === undefined ? {} : { accept };

    it('to every kind of operation', async () => {
      const gateway = await start();
      const query = CREATE;
      const mine = { query, variables: { input: input({ idempotencyKey: KEY }) } };
      expect((await expectSame(gateway, mine, headers)).body).toContain('CreateImageToVideoSuccess');
      const other = input({ idempotencyKey: KEY, prompt: 'another' });
      const conflict = await expectSame(gateway, { query, variables: { input: other } }, headers);
      expect(conflict.body).toContain('IdempotencyConflictError');
      // To all other clients its answer is a stream without an end.
      if (accept?.startsWith('application/') === true)
        expect(await expectSame(gateway, { query: TASKS_UPDATED }, headers)).toMatchObject({ body: '' });
      for (const [what, params, expected] of OPERATIONS) {
        const answer = await expectSame(gateway, params, headers);
        expect([what, answer.body]).toEqual([what, expect.stringMatching(expected)]);
      }
    });

    it('to errors that say their own status, and to those that are masked', async () => {
      stopTheClock();
      const capped = await start({ env: { MAX_CREATES_PER_DAY: '1' } });
      const create = { query: CREATE, variables: { input: input() } };
      await ask(capped, create, headers);
      const late = await expectSame(capped, create, headers);
      expect(late).toMatchObject({ status: '429 Too Many Requests' });
      expect(late.headers).toContainEqual(expect.stringMatching(/^retry-after: \d+$/));

      for (const [error, code] of [
        [new TypeError('hush'), 'INTERNAL_SERVER_ERROR'],
        [new StoreUnavailableError(new Error('hush')), 'SERVICE_UNAVAILABLE'],
      ] as const) {
        const broken = await startBroken(error);
        const query = `query ($id: ID!) { account { __typename } task(id: $id) { id } }`;
        const answer = await expectSame(broken, { query, variables: { id: 'x' } }, headers);
        expect(answer.body).toContain(code);
        expect(answer.body).not.toContain('hush');
        expect((await expectSame(broken, { query: TASKS }, headers)).body).toContain(code);
      }
    });
  },
);

describe('the short road and the engine give the same answer', () => {
  it('to pages that may read it, that may not, and that are none', async () => {
    const gateway = await start({ env: { ALLOWED_ORIGINS: 'https://app.example.com' } });
    const readers = ['https://app.example.com', 'http://localhost:5173', gateway.url];
    const strangers = ['https://evil.example', 'null', 'evil', '', '*', 'http://*.localhost'];
    for (const origin of [...readers, ...strangers])
      for (const query of ['{ __typename }', '{ nope }']) {
        const { headers } = await expectSame(gateway, { query }, { origin });
        const cors = headers.filter((field) => field.startsWith('access-control-'));
        if (readers.includes(origin)) expect(cors).toEqual([`access-control-allow-origin: ${origin}`]);
        else if (!origin.includes('*')) expect(cors).toEqual([]);
      }
    const asking = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'x' };
    await expectSame(gateway, { query: '{ __typename }' }, { origin: readers[0] ?? '', ...asking });
  });

  it('to owners, strangers, and owners who ask too often', async () => {
    stopTheClock();
    const gateway = await start({ env: { API_KEYS, MAX_REQUESTS_PER_MINUTE: '3' } });
    const query = '{ __typename }';
    for (const headers of [{}, { authorization: 'Bearer nobody' }, { authorization: 'Basic x' }])
      expect((await expectSame(gateway, { query }, headers)).status).toBe('401 Unauthorized');
    expect((await expectSame(gateway, { query }, bearer('ann'))).status).toBe('200 OK');
    expect((await expectSame(gateway, { query }, bearer('ann'))).status).toBe('429 Too Many Requests');
    expect((await expectSame(gateway, { query }, bearer('bob'))).status).toBe('200 OK');
  });

  it('where introspection is off', async () => {
    const gateway = await start({ env: { INTROSPECTION: 'false' } });
    for (const query of [
      '{ __schema { queryType { name } } }',
      '{ taks { id } }',
      '{ tasks(frist: 1) { revision } }',
    ])
      await expectSame(gateway, { query });
    const query = 'query ($states: [TaskState!]) { tasks(states: $states) { revision } }';
    await expectSame(gateway, { query, variables: { states: ['SUCESS'] } });
  });
});

it('a mutation that ends in an error runs once', async () => {
  const broken = await startBroken(new TypeError('hush'));
  const answer = await ask(broken, { query: CREATE, variables: { input: input() } }, {});
  expect(answer.body).toContain('INTERNAL_SERVER_ERROR');
  expect(broken.calls()).toBe(1);
});

/** A gateway whose store fails whoever reads or adds a task, and counts them. */
async function startBroken(error: Error): Promise<Gateway & { readonly calls: () => number }> {
  let calls = 0;
  const fail = (): Promise<never> => {
    calls += 1;
    return Promise.reject(error);
  };
  const gateway = await start({
    overrides: {
      wrap: (ports) => ({ ...ports, store: { ...ports.store, find: fail, page: fail, insert: fail } }),
    },
  });
  return { ...gateway, calls: () => calls };
}
