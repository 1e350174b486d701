import type { Logger } from 'pino';
import { describe, expect, it } from 'vitest';
import { startApp } from '../../src/app/create-app.ts';
import { parseConfig } from '../../src/config/config.ts';
import { createLog } from '../../src/log/log.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { onTestEnd } from '../kit/waits.ts';
import { startIssuer } from './issuer.ts';
import { LATER, REFUSED, knock, type Welcome } from './knock.ts';
import { SECRET, claims, createSigningKey, inSeconds, signWith } from './tokens.ts';

/** Everything that a logger writes while it is used. */
function written(use: (log: Logger) => void, { pretty = false } = {}): string {
  const lines: string[] = [];
  use(createLog({ level: 'trace', pretty }, { write: (line) => void lines.push(line) }));
  return lines.join('');
}

describe.each([{ pretty: false }, { pretty: true }])('a line of the log (%j)', (how) => {
  it.each<[string, (credential: string) => unknown]>([
    ['a message', (credential) => `refused ${credential}`],
    ['a member', (credential) => ({ given: credential })],
    ['a member of a member', (credential) => ({ a: { b: { c: { d: [credential] } } } })],
    ['an error', (credential) => ({ err: new Error(`refused ${credential}`) })],
    [
      'the cause of an error',
      (credential) => ({ err: new Error('refused', { cause: new Error(credential) }) }),
    ],
    [
      'JSON in a text',
      (credential) => ({ text: JSON.stringify({ payload: JSON.stringify({ credential }) }) }),
    ],
  ])('does not show a token, nor what follows Bearer, in %s', async (_, entry) => {
    const token = await signWith(SECRET);
    const credentials = [
      token,
      `Bearer ${token}`,
      'Bearer hush-hush-hush',
      'bearer   hush-hush-hush',
      'BEARER hush_hush_hush',
    ];
    for (const credential of credentials) {
      const line = written((log) => {
        log.info(entry(credential));
      }, how);
      expect(line).toContain('[redacted]');
      for (const secret of ['hush', ...token.split('.')]) expect(line).not.toContain(secret);
    }
  });

  it('still shows what is no secret', () => {
    const text = 'Send "Authorization: Bearer <API key or token>"; a bearer of news';
    expect(
      written((log) => {
        log.info(text);
      }, how),
    ).toContain('a bearer of news');
  });
});

describe('the log of a gateway, down to its least important lines,', () => {
  async function linesWhile(
    env: Readonly<Record<string, string>>,
    credentials: readonly string[],
    expected: Welcome,
  ) {
    const lines: string[] = [];
    const log = createLog({ level: 'trace', pretty: false }, { write: (line) => void lines.push(line) });
    const { url: kie } = await startFakeProvider();
    const own = { PORT: '0', DATA_DIR: await temporaryDir(), KIE_API_KEY: 'test-key', KIE_API_URL: kie };
    const app = await startApp(parseConfig({ ...own, ...env }), { log });
    onTestEnd(() => app.close());
    const gateway = { url: app.url, graphqlUrl: `${app.url}/graphql` };
    for (const credential of credentials)
      expect(await knock(gateway, `Bearer ${credential}`)).toEqual(expected);
    return lines.join('');
  }

  it('shows nothing of credentials that are refused', async () => {
    const tokens = [
      await signWith(`${SECRET}!`),
      await signWith(SECRET, claims({ exp: inSeconds(-60) })),
      await signWith(SECRET, claims({ sub: 42 })),
    ];
    const lines = await linesWhile(
      { JWT_SECRET: SECRET, API_KEYS: 'ada:key-of-ada' },
      [...tokens, 'hush-hush'],
      REFUSED,
    );
    for (const secret of ['hush', SECRET, 'key-of-ada', ...tokens]) expect(lines).not.toContain(secret);
    for (const part of tokens.flatMap((token) => token.split('.'))) expect(lines).not.toContain(part);
  });

  it('says why tokens cannot be checked, and shows nothing of them', async () => {
    const issuer = await startIssuer([]);
    issuer.answer({ status: 500, body: 'oops' });
    const token = await (await createSigningKey()).sign();
    const lines = await linesWhile({ JWT_JWKS_URL: issuer.jwksUrl }, [token], LATER);
    expect(lines).toContain("fetching the token issuer's keys failed");
    expect(lines).toContain('status 500 instead of 200');
    expect(lines).not.toContain('"stack"');
    for (const part of token.split('.')) expect(lines).not.toContain(part);
  });
});
