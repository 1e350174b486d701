import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VALIDATION_ISSUE_CODES, validateInput, type CreateInput } from '../../src/tasks/validate-input.ts';
import { anyText, anyUrl } from './any-text.ts';

const OK_URL = 'https://files.example/first.png';

const input: fc.Arbitrary<CreateInput> = fc.record(
  {
    // Mostly one part at a time is strange: otherwise hardly any input would be valid.
    prompt: fc.oneof(anyText, fc.constant('snow')),
    imageUrl: fc.oneof(anyUrl, fc.constant(OK_URL)),
    endImageUrl: fc.option(fc.oneof(anyUrl, fc.constant(OK_URL))),
    promptOptimizer: fc.option(fc.boolean()),
    idempotencyKey: fc.option(anyText),
  },
  { requiredKeys: ['prompt', 'imageUrl'] },
);

describe('any input', () => {
  it('is valid or has issues with a known code and a message', () => {
    fc.assert(
      fc.property(input, (given) => {
        const result = validateInput(given);
        if ('valid' in result) return;
        expect(result.issues).not.toEqual([]);
        for (const { code, field, message } of result.issues) {
          expect(VALIDATION_ISSUE_CODES).toContain(code);
          expect(message.startsWith(`${field} `) && message.endsWith('.')).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('that is valid survives JSON and UTF-8 unchanged', () => {
    let valid = 0;
    fc.assert(
      fc.property(input, (given) => {
        const result = validateInput(given);
        if (!('valid' in result)) return;
        valid += 1;
        const bytes = Buffer.from(JSON.stringify(result.valid));
        expect(JSON.parse(bytes.toString())).toEqual(result.valid);
        for (const text of Object.values(result.valid))
          if (typeof text === 'string') expect(Buffer.from(text).toString()).toBe(text);
      }),
      { numRuns: 1000 },
    );
    expect(valid).toBeGreaterThan(50);
  });

  it('that is valid stays the same when its normalised form is validated again', () => {
    fc.assert(
      fc.property(input, (given) => {
        const result = validateInput(given);
        if ('valid' in result) expect(validateInput(result.valid)).toEqual(result);
      }),
      { numRuns: 1000 },
    );
  });

  it('that is valid has http or https URLs without credentials for every URL parser', () => {
    fc.assert(
      fc.property(input, (given) => {
        const result = validateInput(given);
        if (!('valid' in result)) return;
        const { endImageUrl, imageUrl } = result.valid;
        for (const text of [imageUrl, endImageUrl ?? imageUrl]) {
          expect(text).toMatch(/^https?:\/\/[^/\\]\S*$/i);
          expect(new URL(text)).toMatchObject({ username: '', password: '' });
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('is not mutated by validation', () => {
    fc.assert(
      fc.property(input, (given) => {
        const copy = structuredClone(given);
        validateInput(Object.freeze(given));
        expect(given).toEqual(copy);
      }),
    );
  });
});
