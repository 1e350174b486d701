import { isEnumType } from 'graphql';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ENUM_ADVICE } from '../../scripts/docs/enum-advice.ts';
import { CLOSE_ADVICE, STATUS_ADVICE } from '../../scripts/docs/outer-advice.ts';
import { REQUEST_ADVICE, UPLOAD_ADVICE, VIDEO_ADVICE } from '../../scripts/docs/request-advice.ts';
import { schema } from '../../src/schema/schema.ts';

const SRC = new URL('../../src/', import.meta.url).pathname;

/** What a pattern catches in the sources of some folders. */
function found(pattern: RegExp, ...folders: readonly string[]): readonly string[] {
  const files = folders.flatMap((folder) =>
    readdirSync(SRC + folder, { recursive: true }).map((file) => `${SRC}${folder}/${String(file)}`),
  );
  const texts = files.filter((file) => file.endsWith('.ts')).map((file) => readFileSync(file, 'utf8'));
  return [...new Set(texts.flatMap((text) => [...text.matchAll(pattern)].map(([, caught = '']) => caught)))];
}

describe('the catalogue of errors', () => {
  it('has every enum of the schema that stands for errors', () => {
    const enums = Object.values(schema.getTypeMap()).filter(
      (type) => isEnumType(type) && !type.name.startsWith('__'),
    );
    const harmless = [
      ...['TaskState', 'UpdateSource', 'ImageToVideoModel', 'VideoResolution'],
      ...['FieldSupport', 'ModelStatus', 'EstimateSource', 'ArchiveState'],
    ];
    expect(enums.map(({ name }) => name).sort()).toEqual([...Object.keys(ENUM_ADVICE), ...harmless].sort());
  });

  it('has every code with which a request is refused', () => {
    const known = [
      ...Object.values(ENUM_ADVICE).flatMap((advice) => Object.keys(advice)),
      ...Object.keys(REQUEST_ADVICE),
      ...Object.keys(UPLOAD_ADVICE),
      ...Object.keys(VIDEO_ADVICE),
    ];
    const codes = [
      ...found(
        /\bcode: '([A-Z][A-Z_]+)'/g,
        'http',
        'engine',
        'limits',
        'websocket',
        'schema',
        'resolvers',
        'tasks',
        'images',
      ),
      ...found(/withCode\([^;]*?'([A-Z_]+)',?\s*\)/g, 'schema', 'engine'),
    ];
    expect(codes).toContain('INTERNAL_SERVER_ERROR');
    expect(codes.filter((code) => !known.includes(code))).toEqual([]);
  });

  it('has every status of problem details', () => {
    const statuses = found(/\b(?:refusal|retryLater)\(\s*([45]\d\d)\b/g, 'http', 'websocket', 'limits');
    expect(statuses).toContain('421');
    expect(statuses.filter((status) => !(status in STATUS_ADVICE))).toEqual([]);
  });

  it('has every code with which a socket is closed', () => {
    const codes = found(/\bconst (?!\w+_MS\b)[A-Z_]+ = (10[01]\d|4[0-5]\d\d);/g, 'websocket');
    expect(codes).toContain('1013');
    expect(codes.filter((code) => !(code in CLOSE_ADVICE))).toEqual([]);
  });
});
