import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_MODEL, withDefaults, MODEL_IDS } from '../../src/models/index.ts';
import { RESOLUTIONS } from '../../src/models/define-model.ts';
import { VALIDATION_ISSUE_CODES, validateInput, type CreateInput } from '../../src/tasks/validate-input.ts';
import { anyText, anyUrl } from './any-text.ts';

const INPUT: CreateInput = { prompt: 'snow falling', imageUrl: 'https://files.example/first.png' };

/** The normalised input, or all issues as "field CODE". */
function check(changes: Partial<CreateInput>) {
  const result = validateInput({ ...INPUT, ...changes });
  if ('issues' in result) return result.issues.map(({ code, field }) => `${field} ${code}`);
  const { idempotencyKey, input } = result.valid;
  return { ...input, idempotencyKey };
}

/** The normalised URL, or the codes of what is wrong with it; the same for both fields that take one. */
function checkUrl(url: string): string | string[] {
  const [one, other] = (['imageUrl', 'endImageUrl'] as const).map((field) => {
    const result = validateInput({ ...INPUT, [field]: url });
    return 'valid' in result ? (result.valid.input[field] ?? '') : result.issues.map(({ code }) => code);
  });
  expect(other).toEqual(one);
  return one ?? [];
}

describe('a valid input', () => {
  it('needs only a prompt and an image; omitted fields are null, and given ones stay', () => {
    const none = { endImageUrl: null, promptOptimizer: null, idempotencyKey: null };
    const full = {
      endImageUrl: 'https://files.example/last.png',
      promptOptimizer: false,
      idempotencyKey: 'key',
    };
    const model = { model: DEFAULT_MODEL.name, options: withDefaults(DEFAULT_MODEL) };
    expect(check({})).toEqual({ ...INPUT, ...model, ...none });
    expect(check(none)).toEqual({ ...INPUT, ...model, ...none });
    expect(check(full)).toEqual({ ...INPUT, ...model, ...full });
  });

  it.each(['', ' ', '\n\t', '\u3000'])('has no end image when endImageUrl is %j', (endImageUrl) => {
    expect(check({ endImageUrl })).toMatchObject({ endImageUrl: null });
  });

  it.each(['  spaces around  ', '\ttab\n', '👩‍👩‍👧 and 雪', '\u0007 bell', '\ufeff mark', '🎞'.repeat(1500)])(
    'has its prompt unchanged: %j',
    (prompt) => {
      expect(check({ prompt })).toMatchObject({ prompt });
    },
  );

  it.each(['k', ' k ', ' ', '🔑'.repeat(255)])('has its idempotencyKey unchanged: %j', (idempotencyKey) => {
    expect(check({ idempotencyKey })).toMatchObject({ idempotencyKey });
  });
});

describe('an invalid input', () => {
  it('is told that a key must not be empty, since it may consist of white space', () => {
    const result = validateInput({ ...INPUT, idempotencyKey: '' });
    expect(result).toMatchObject({ issues: [{ message: 'idempotencyKey must not be empty.' }] });
  });

  it.each<[string, Partial<CreateInput>]>([
    ['prompt REQUIRED', { prompt: '' }],
    ['prompt REQUIRED', { prompt: '\t\n\r \u00a0\u3000\ufeff' }],
    ['prompt TOO_LONG', { prompt: 'x'.repeat(1501) }],
    ['prompt TOO_LONG', { prompt: '🎞'.repeat(1501) }],
    ['prompt TOO_LONG', { prompt: `${'x'.repeat(1500)} ` }],
    ...['a\0b', '\0', 'a\ud83d', '\ude00b', '\ude00\ud83d'].map((prompt): [string, Partial<CreateInput>] => [
      'prompt INVALID_CHARACTERS',
      { prompt },
    ]),
    ['imageUrl REQUIRED', { imageUrl: '  ' }],
    ['idempotencyKey REQUIRED', { idempotencyKey: '' }],
    ['idempotencyKey TOO_LONG', { idempotencyKey: '🔑'.repeat(256) }],
    ['idempotencyKey INVALID_CHARACTERS', { idempotencyKey: 'k\0' }],
    ['idempotencyKey INVALID_CHARACTERS', { idempotencyKey: 'k\ud83d' }],
  ])('is told %s: %j', (issue, changes) => {
    expect(check(changes)).toEqual([issue]);
  });

  it('is told all issues of all fields', () => {
    const all = { imageUrl: 'ftp://a@a.example', endImageUrl: '//b', idempotencyKey: '' };
    expect(check({ ...all, prompt: `\0${'x'.repeat(1500)}` })).toEqual([
      'prompt TOO_LONG',
      'prompt INVALID_CHARACTERS',
      'imageUrl URL_SCHEME',
      'imageUrl URL_CREDENTIALS',
      'endImageUrl NOT_A_URL',
      'idempotencyKey REQUIRED',
    ]);
  });

  it('is told its length and the limit, how to write white space in a URL, and no password', () => {
    const told = (changes: Partial<CreateInput>): string =>
      JSON.stringify(validateInput({ ...INPUT, ...changes }));
    expect(told({ prompt: '🎞'.repeat(1501) })).toMatch(/1501.*1500/);
    expect(told({ imageUrl: 'https://files.example/a b.png' })).toContain('%20');
    expect(told({ imageUrl: 'https://ann:hush@files.example/a.png' })).not.toContain('hush');
  });
});

describe('the URL of an image', () => {
  it.each([
    'http://files.example/a.png',
    'HTTPS://FILES.EXAMPLE/A.PNG',
    'https://files.example:8443/a.png',
    'https://files.example',
    'https://files.example/a.png?size=1&x=%20#top',
    'https://bücher.example/ü.png',
    'https://例え.テスト/絵.png',
    'http://192.168.1.10/a.png',
    'http://localhost:8080/a.png',
    'http://[::1]:8080/a.png',
    'http://nas/a.png',
    'https://files.example/@ann/a.png',
    `https://files.example/${'🎞'.repeat(2026)}`,
  ])('stays unchanged, without the white space around it: %s', (url) => {
    expect(checkUrl(url)).toBe(url);
    for (const space of [' ', '\t\r\n', '\u00a0', '\u3000', '\ufeff'])
      expect(checkUrl(`${space}${url}${space}`)).toBe(url);
  });

  it('with an international host is valid after many validations', () => {
    const url = 'https://bücher.example/ü.png';
    for (let count = 0; count < 20_000; count += 1) validateInput({ ...INPUT, imageUrl: url });
    expect(checkUrl(url)).toBe(url);
  });

  it.each([
    ...['a.png', '/a.png', './a.png', '?a', '#a', 'files.example/a.png', '//files.example/a.png'],
    ...['http:', 'https:', 'http://', 'https:///a.png', 'https:files.example', 'https:/files.example/a.png'],
    ...['https:////files.example/a.png', 'https:\\\\files.example\\a.png', 'https:/\\files.example/a.png'],
    ...['https://\\files.example/a.png', 'https://files.example:99999/a.png', 'https://files.example:port/'],
    ...['https://[::1/a.png', 'https://[hello]/a.png', 'https://999.999.999.999/a.png', 'https://%zz/a.png'],
    ...['://files.example/a.png', 'the image', 'https://files.example/a b.png', 'https://files. example/'],
    ...[
      'https://files.example/a\tb.png',
      'ht\ntps://files.example/a.png',
      'https://files.example/a\r\nb.png',
    ],
    ...['https://files.example/a\u00a0b.png', 'https://files.example/a\u2028b.png', 'https:// a.example/'],
    ...[
      'https://files.example/a\u0007b.png',
      'https://files.example/a\u007fb.png',
      'data:image/png; base64,A',
    ],
  ])('is absolute and has no white space or control characters: %j', (url) => {
    expect(checkUrl(url)).toEqual(['NOT_A_URL']);
  });

  it.each([
    ...['data:image/png;base64,iVBORw0KGgo=', 'javascript:alert(1)', 'JAVASCRIPT:alert(1)', 'about:blank'],
    ...[
      'file:///etc/passwd',
      'ftp://files.example/a.png',
      'blob:https://files.example/1',
      's3://bucket/a.png',
    ],
    ...['mailto:ann@files.example', 'localhost:8080/a.png'],
  ])('has the scheme http or https: %s', (url) => {
    expect(checkUrl(url)).toEqual(['URL_SCHEME']);
  });

  it.each([
    ...['https://ann:secret@files.example/a.png', 'https://ann@files.example/a.png'],
    ...['https://:secret@files.example/a.png', 'https://%61nn@files.example/a.png'],
    'https://files.example:80@evil.example/a.png',
  ])('has no credentials: %s', (url) => {
    expect(checkUrl(url)).toEqual(['URL_CREDENTIALS']);
  });

  it('has at most 2048 characters, and nothing else is said of a longer one', () => {
    expect(checkUrl(`ftp://ann:secret@files.example/${'x'.repeat(2048)}`)).toEqual(['TOO_LONG']);
    for (const url of ['https://files.example/\0', 'https://files.example/\ud83d.png'])
      expect(checkUrl(url)).toEqual(['INVALID_CHARACTERS']);
  });
});

const someUrl = fc.oneof(anyUrl, fc.constant(INPUT.imageUrl));
const seldom = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: value });
// Mostly one part at a time is strange: otherwise hardly any input would be valid.
const anyInput: fc.Arbitrary<CreateInput> = fc.record(
  {
    prompt: fc.oneof(anyText, fc.constant('snow')),
    imageUrl: someUrl,
    endImageUrl: fc.option(someUrl),
    promptOptimizer: fc.option(fc.boolean()),
    idempotencyKey: fc.option(anyText),
    model: fc.option(fc.constantFrom(...MODEL_IDS)),
    durationSeconds: seldom(fc.integer({ min: 3, max: 11 })),
    resolution: seldom(fc.constantFrom(...RESOLUTIONS)),
    sound: seldom(fc.boolean()),
    negativePrompt: seldom(anyText),
    seed: seldom(fc.integer()),
  },
  { requiredKeys: ['prompt', 'imageUrl'] },
);

describe('any input', () => {
  it('is told issues with a code, its field and a message, or is valid: safe for JSON, UTF-8, URL parsers and a second validation', () => {
    let valid = 0;
    fc.assert(
      fc.property(anyInput, (given) => {
        const result = validateInput(Object.freeze(given));
        if ('issues' in result) {
          expect(result.issues).not.toEqual([]);
          for (const { code, field, message } of result.issues) {
            expect(VALIDATION_ISSUE_CODES).toContain(code);
            expect(message.startsWith(`${field} `) && message.endsWith('.')).toBe(true);
          }
          return;
        }
        valid += 1;
        const { asked, idempotencyKey, input } = result.valid;
        const stored = { ...input, idempotencyKey };
        expect(JSON.parse(Buffer.from(JSON.stringify(stored)).toString())).toEqual(stored);
        expect(validateInput({ ...stored, ...asked, model: given.model })).toEqual(result);
        const { endImageUrl, imageUrl } = input;
        for (const url of [imageUrl, endImageUrl ?? imageUrl]) {
          expect(url).toMatch(/^https?:\/\/[^/\\]\S*$/i);
          expect(new URL(url)).toMatchObject({ username: '', password: '' });
        }
      }),
      { numRuns: 2000 },
    );
    expect(valid).toBeGreaterThan(100);
  });
});
