import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { Logger } from 'pino';
import { describe, expect, it } from 'vitest';
import { createLog, type LogOptions } from '../src/log/log.ts';
import { onTestEnd } from './kit/waits.ts';

const URL_WITH_TOKEN = '/webhooks/kie/task-1/0123456789abcdef';

/** Everything that a logger writes while it is used. */
function written(use: (log: Logger) => void, options: Partial<LogOptions> = {}): string {
  const lines: string[] = [];
  use(createLog({ level: 'info', pretty: false, ...options }, { write: (line) => void lines.push(line) }));
  return lines.join('');
}

describe('the log', () => {
  it('is one JSON object per line, with level names and ISO times', () => {
    const line = JSON.parse(
      written((log) => {
        log.warn({ port: 4000 }, 'hello');
      }),
    ) as Record<string, unknown>;
    expect(line).toMatchObject({ level: 'warn', msg: 'hello', port: 4000 });
    expect(line['time']).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  it('leaves out what is below its level', () => {
    expect(
      written((log) => {
        log.debug('unseen');
      }),
    ).toBe('');
    expect(
      written(
        (log) => {
          log.fatal('unseen');
        },
        { level: 'silent' },
      ),
    ).toBe('');
  });

  it('is readable when pretty, and as discreet', () => {
    const text = written(
      (log) => {
        log.info({ apiKey: 'hush' }, `called ${URL_WITH_TOKEN}`);
      },
      { pretty: true },
    );
    expect(text).toContain('called /webhooks/kie/task-1/[redacted]');
    expect(text).not.toContain('hush');
    expect(() => JSON.parse(text) as unknown).toThrow();
  });

  it('is one line for each event on a terminal', () => {
    const text = written(
      (log) => {
        log.info({ port: 4000, nested: { a: 1, b: 'two' } }, 'first');
        log.info({ port: 4001 }, 'second');
      },
      { pretty: true },
    );
    expect(text.trimEnd().split('\n')).toHaveLength(2);
  });
});

describe('foreign text in the log', () => {
  const long = 'x'.repeat(100_000);
  const member = (name: string, line: string): unknown =>
    (JSON.parse(line) as Readonly<Record<string, unknown>>)[name];

  it('is cut after 200 characters', () => {
    const line = written((log) => {
      log.warn({ origin: long }, 'seen');
    });
    expect(member('origin', line)).toBe(`${'x'.repeat(200)}…`);
  });

  it('is cut in errors and in values within values as well, and the line stays JSON', () => {
    const error = Object.assign(new Error(long), { answer: { body: [long] } });
    const line = written((log) => {
      log.warn({ err: error, deep: { words: long } }, 'seen');
    });
    expect(line.length).toBeLessThan(20_000);
    expect(JSON.parse(line)).toMatchObject({ level: 'warn', msg: 'seen', err: { type: 'Error' } });
  });

  it('is left out where there is too much of it, and level, time and message stay', () => {
    const line = written((log) => {
      log.warn({ words: Array.from({ length: 20_000 }, () => 'word') }, 'seen');
    });
    expect(Object.keys(JSON.parse(line) as object)).toEqual(['level', 'time', 'msg']);
  });

  it.each([
    ['a colour', '\u001b[31m', '\\u{1b}[31m'],
    ['a colour in one byte', '\u009b31m', '\\u{9b}31m'],
    ['a line break', 'one\nanother', 'one\\u{a}another'],
    ['another direction', '\u202etxt', '\\u{202e}txt'],
    ['half a character', '\ud83d', '\\u{d83d}'],
    ['a cut within a character', `x${'😀'.repeat(150)}`, `x${'😀'.repeat(99)}…`],
  ])('shows nothing odd on a terminal: %s', (_, text, shown) => {
    const line = written((log) => {
      log.warn({ agent: text }, 'seen');
    });
    expect(member('agent', line)).toBe(shown);
  });

  it('leaves no part of a secret where it is cut', () => {
    const secret = 'a-secret-of-the-operator';
    const token = `eyJ${'h'.repeat(30)}.${'p'.repeat(400)}.${'s'.repeat(40)}`;
    const line = written(
      (log) => {
        log.warn({ a: 'x'.repeat(190) + secret, b: `x ${token}`, err: new Error('x'.repeat(995) + secret) });
      },
      { secrets: [secret] },
    );
    expect(line).not.toContain('a-sec');
    expect(line).not.toContain('ppp');
  });
});

describe('secrets in the log', () => {
  it.each([
    ['a request', { req: { url: URL_WITH_TOKEN } }],
    [
      'an echo of the provider',
      { param: JSON.stringify({ callBackUrl: `https://x.example${URL_WITH_TOKEN}` }) },
    ],
    ['an error', { err: new Error(`POST ${URL_WITH_TOKEN}?a=1 failed`) }],
  ])('hide the callback token in %s and keep the task id', (_, entry) => {
    const line = written((log) => {
      log.info(entry, 'seen');
    });
    expect(line).toContain('/webhooks/kie/task-1/[redacted]');
    expect(line).not.toContain('0123456789abcdef');
    expect(() => JSON.parse(line) as unknown).not.toThrow();
  });

  it.each([
    ['a header', { headers: { authorization: 'hush' } }],
    ['a header of a request', { req: { headers: { authorization: 'hush' } } }],
    ['an API key', { kieApiKey: 'hush' }],
    ['settings', { config: { kieApiKey: 'hush', kieWebhookHmacKeys: ['hush'] } }],
    ['raw headers', { rawHeaders: ['Authorization', 'Bearer hush-hush'] }],
  ])('hide %s', (_, entry) => {
    const line = written((log) => {
      log.info(entry, 'seen');
    });
    expect(line).toContain('[redacted]');
    expect(line).not.toContain('hush');
  });

  it('hide the given texts wherever they turn up, but none so short that it would tear lines apart', () => {
    const line = written(
      (log) => {
        log.info({ a: { b: { c: { d: 'x hush"hush x' } } } }, 'see hush"hush');
      },
      {
        secrets: ['hush"hush', 'e'],
      },
    );
    expect(line).not.toContain('hush');
    expect(line).toContain('"msg":"see [redacted]"');
  });
});

describe('the last line before an exit', () => {
  it.each([true, false])('is not lost (pretty: %s)', (pretty) => {
    const script = `
      import { createLog } from './src/log/log.ts';
      const log = createLog({ level: 'info', pretty: ${pretty} });
      for (let n = 1; n <= 500; n++) log.info('line ' + n);
      process.exit(3);`;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', script];
    const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(stdout).toContain('line 500');
    expect(status).toBe(3);
  });

  it('is given up when its reader has gone', async () => {
    const script = `
      import { createLog } from './src/log/log.ts';
      const log = createLog({ level: 'info', pretty: false });
      process.stdin.once('data', () => {
        log.info('nobody reads this');
        process.exit(3);
      });`;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', script];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    onTestEnd(() => void child.kill('SIGKILL'));
    const ended = once(child, 'exit');
    child.stdout.destroy();
    await once(child.stdout, 'close');
    child.stdin.write('end');
    expect(await ended).toEqual([3, null]);
  });
});
