import { spawnSync } from 'node:child_process';
import { fastify } from 'fastify';
import type { Logger } from 'pino';
import { describe, expect, it } from 'vitest';
import { createLog, type LogOptions } from '../src/log.ts';

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

  it('hide the callback token when Fastify logs a request', async () => {
    const lines: string[] = [];
    const write = (line: string) => void lines.push(line);
    const app = fastify({ loggerInstance: createLog({ level: 'info', pretty: false }, { write }) });
    await app.inject({ method: 'POST', url: URL_WITH_TOKEN });
    await app.close();
    expect(lines.join('')).toContain('/webhooks/kie/task-1/[redacted]');
    expect(lines.join('')).not.toContain('0123456789abcdef');
  });
});

describe('the last line before an exit', () => {
  it.each([true, false])('is not lost (pretty: %s)', (pretty) => {
    const script = `
      import { createLog } from './src/log.ts';
      const log = createLog({ level: 'info', pretty: ${pretty} });
      for (let n = 1; n <= 500; n++) log.info('line ' + n);
      process.exit(3);`;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', script];
    const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(stdout).toContain('line 500');
    expect(status).toBe(3);
  });
});
