import { describe, expect, it } from 'vitest';
import { parseConfig } from '../src/config/config.ts';
import { reportOf } from './kit/documentation.ts';

describe('the settings of the store', () => {
  it.each(['postgres://me:hush@db.example:5433/tasks?sslmode=require', 'postgresql:///tasks'])(
    'take %s for a database',
    (url) => {
      expect(parseConfig({ DATABASE_URL: url }).databaseUrl).toBe(url);
    },
  );

  it.each([
    'hush',
    'me:hush@db.example/tasks',
    'mysql://me:hush@db.example/tasks',
    'postgres//me:hush@db/tasks',
  ])('refuse %s as a database without showing it', (url) => {
    const report = reportOf({ DATABASE_URL: url });
    expect(report).toContain(
      'DATABASE_URL: expected an address of the form postgres://user:password@host:port/database',
    );
    expect(report).not.toContain('hush');
  });

  it('show no password of a database whose name is misspelt', () => {
    const report = reportOf({ DATABASE_ULR: 'postgres://me:hush@db.example/tasks' });
    expect(report).toContain('DATABASE_ULR is not a variable of Kineograph; did you mean DATABASE_URL?');
    expect(report).not.toContain('hush');
  });

  it.each(['0', '1001', '2.5', 'many', '-3'])('refuse %s connections', (value) => {
    expect(reportOf({ DATABASE_CONNECTIONS: value })).toContain(
      `DATABASE_CONNECTIONS="${value}": expected an integer from 1 to 1000`,
    );
  });

  it('migrate unless that is forbidden, and take nothing but a switch for it', () => {
    expect(parseConfig({ MIGRATE: 'false' }).migrate).toBe(false);
    expect(reportOf({ MIGRATE: 'never' })).toContain('MIGRATE="never": expected one of true, false, 1, 0');
  });

  it('keep tasks for ever, or for no shorter than a task may take', () => {
    expect(parseConfig({}).taskRetentionDays).toBeNull();
    expect(parseConfig({ TASK_RETENTION_DAYS: '1' }).taskRetentionDays).toBe(1);
    expect(reportOf({ TASK_RETENTION_DAYS: '0' })).toContain('expected an integer from 1 to 36500');
    const report = reportOf({ TASK_RETENTION_DAYS: '1', TASK_DEADLINE_MS: '86400001' });
    expect(report).toContain(
      'TASK_RETENTION_DAYS=1: shorter than a task may take (TASK_DEADLINE_MS=86400001)',
    );
    expect(report).toContain('Set it to at least 2');
  });
});
