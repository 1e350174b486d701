import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { createLog, type LogOptions } from '../src/log/log.ts';
import { standardOutput } from '../src/log/output.ts';
import { onTestEnd } from './kit/waits.ts';

const URL_WITH_TOKEN = '/webhooks/kie/task-1/0123456789abcdef';
const WEB_TOKEN = `eyJ${'h'.repeat(30)}.${'p'.repeat(400)}.${'s'.repeat(40)}`;
const long = 'x'.repeat(100_000);

/** What is written for one warning. */
function lineOf(members: object, options: Partial<LogOptions> = {}): string {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  createLog({ level: 'info', pretty: false, ...options }, destination).warn(members, 'seen');
  return lines.join('');
}

function parse(line: string): Readonly<Record<string, unknown>> {
  return JSON.parse(line) as Readonly<Record<string, unknown>>;
}

describe('the log', () => {
  it('is one JSON object per line, with level names and ISO times', () => {
    const line = parse(lineOf({ port: 4000 }));
    expect(line).toMatchObject({ level: 'warn', msg: 'seen', port: 4000 });
    expect(line['time']).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  it('leaves out what is below its level', () => {
    expect(lineOf({}, { level: 'error' }) + lineOf({}, { level: 'silent' })).toBe('');
  });

  it('is one readable line for each event on a terminal', () => {
    const text = lineOf({ port: 4000, nested: { a: 1, b: 'two' } }, { pretty: true });
    expect(text.trimEnd().split('\n')).toHaveLength(1);
    expect(text).toContain('seen');
    expect(() => parse(text)).toThrow();
  });
});

describe('foreign text in the log', () => {
  it('is cut, in errors and in values within values as well, and the line stays JSON', () => {
    const err = Object.assign(new Error(long), { answer: { body: [long] } });
    const line = lineOf({ origin: long, err, deep: { words: long } });
    expect(parse(line)).toMatchObject({ level: 'warn', msg: 'seen', err: { type: 'Error' } });
    expect(parse(line)['origin']).toBe(`${'x'.repeat(200)}…`);
    expect(line.length).toBeLessThan(20_000);
  });

  it('is left out where there is too much of it, and level, time and message stay', () => {
    const line = lineOf({ words: Array.from({ length: 20_000 }, () => 'word') });
    expect(Object.keys(parse(line))).toEqual(['level', 'time', 'msg']);
  });

  it.each([
    ['a colour', '\u001b[31m', '\\u{1b}[31m'],
    ['a colour in one byte', '\u009b31m', '\\u{9b}31m'],
    ['a line break', 'one\nanother', 'one\\u{a}another'],
    ['another direction', '\u202etxt', '\\u{202e}txt'],
    ['half a character', '\ud83d', '\\u{d83d}'],
    ['a cut within a character', `x${'😀'.repeat(150)}`, `x${'😀'.repeat(99)}…`],
  ])('shows nothing odd on a terminal: %s', (_, text, shown) => {
    expect(parse(lineOf({ agent: text }))['agent']).toBe(shown);
  });
});

describe.each([{ pretty: false }, { pretty: true }])('secrets in the log (%j)', (how) => {
  const NAMED = { kieApiKey: 'hush', kieWebhookHmacKeys: ['hush'] };

  it.each<readonly [what: string, members: object]>([
    ['a header', { headers: { authorization: 'hush' } }],
    ['a header of a request', { req: { headers: { authorization: 'hush' } } }],
    ['an API key', { kieApiKey: 'hush', apiKey: 'hush' }],
    ['settings', { config: NAMED }],
    ['raw headers', { rawHeaders: ['Authorization', 'Bearer hush-hush'] }],
    ['a text', { text: 'BEARER   hush_hush_hush' }],
    ['an error', { err: new Error('refused bearer hush-hush-hush') }],
    ['a secret of ours', { a: { b: { c: { d: 'x of-ours"hush x' } } } }],
    ['a secret where a text is cut', { a: `${'x'.repeat(190)}of-ours"hush` }],
    ['a secret where an error is cut', { err: new Error(`${'x'.repeat(995)}of-ours"hush`) }],
    ['a token', { given: WEB_TOKEN }],
    ['a token within values', { a: { b: { c: { d: [WEB_TOKEN] } } } }],
    ['a token where a text is cut', { a: `${'x '.repeat(95)}${WEB_TOKEN}` }],
    ['the token of a cause', { err: new Error('no', { cause: new Error(WEB_TOKEN) }) }],
    ['a token in JSON in JSON', { text: JSON.stringify({ a: JSON.stringify({ WEB_TOKEN }) }) }],
  ])('are hidden: %s', (_, members) => {
    const line = lineOf(members, { ...how, secrets: ['of-ours"hush', 'e'] });
    expect(line).toMatch(/\[redacted\]|x…/);
    expect(line).not.toMatch(/hush|of-ours|hhh|ppp|sss/);
    expect(line).toContain('seen');
  });

  it.each<readonly [what: string, members: object]>([
    ['a request', { req: { url: URL_WITH_TOKEN } }],
    ['an echo', { param: JSON.stringify({ callBackUrl: `https://x.example${URL_WITH_TOKEN}` }) }],
    ['an error', { err: new Error(`POST ${URL_WITH_TOKEN}?a=1 failed`) }],
  ])('are hidden and the task id kept: the callback token in %s', (_, members) => {
    const line = lineOf(members, how);
    expect(line).toContain('/webhooks/kie/task-1/[redacted]');
    expect(line).not.toContain('0123456789abcdef');
  });

  it('are all that is hidden', () => {
    const text = 'Send "Authorization: Bearer <API key or token>"; a bearer of news';
    expect(lineOf({ text }, how).replaceAll('\\"', '"')).toContain(text);
  });
});

it('an idle log has no timer', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval'] });
  try {
    standardOutput();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

describe('the last line before an exit', () => {
  const run = (pretty: boolean, use: string) => {
    const script = `
      import { createLog } from './src/log/log.ts';
      const log = createLog({ level: 'info', pretty: ${pretty} });
      ${use}`;
    return ['--import', 'tsx', '--input-type=module', '--eval', script];
  };

  it.each([true, false])('is not lost (pretty: %s)', (pretty) => {
    const args = run(pretty, "for (let n = 1; n <= 500; n++) log.info('line ' + n); process.exit(3);");
    const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(stdout).toContain('line 500');
    expect(status).toBe(3);
  });

  it('is given up when its reader has gone', async () => {
    const use = "process.stdin.once('data', () => { log.info('nobody reads this'); process.exit(3); });";
    const child = spawn(process.execPath, run(false, use), { stdio: ['pipe', 'pipe', 'inherit'] });
    onTestEnd(() => void child.kill('SIGKILL'));
    const ended = once(child, 'exit');
    child.stdout.destroy();
    await once(child.stdout, 'close');
    child.stdin.write('end');
    expect(await ended).toEqual([3, null]);
  });
});
