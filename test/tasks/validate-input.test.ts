import { describe, expect, it } from 'vitest';
import { validateInput, type CreateInput, type ValidationIssue } from '../../src/tasks/validate-input.ts';

const INPUT: CreateInput = { prompt: 'snow falling', imageUrl: 'https://files.example/first.png' };

/** The normalised input; fails when there are issues. */
function valid(changes: Partial<CreateInput> = {}) {
  const result = validateInput({ ...INPUT, ...changes });
  if ('issues' in result) throw new Error(JSON.stringify(result.issues));
  return result.valid;
}

function issues(changes: Partial<CreateInput>): readonly ValidationIssue[] {
  const result = validateInput({ ...INPUT, ...changes });
  return 'issues' in result ? result.issues : [];
}

/** As "field CODE", which is what a client goes by. */
function codes(changes: Partial<CreateInput>): string[] {
  return issues(changes).map(({ code, field }) => `${field} ${code}`);
}

describe('a valid input', () => {
  it('needs only a prompt and an image; omitted fields are null', () => {
    expect(valid()).toEqual({ ...INPUT, endImageUrl: null, promptOptimizer: null, idempotencyKey: null });
    expect(valid({ endImageUrl: null, promptOptimizer: null, idempotencyKey: null })).toEqual(valid());
  });

  it('keeps all given fields', () => {
    const full = {
      ...INPUT,
      endImageUrl: 'https://files.example/last.png',
      promptOptimizer: false,
      idempotencyKey: 'key',
    };
    expect(valid(full)).toEqual(full);
  });

  it.each(['', ' ', '\n\t', '\u3000'])('has no end image when endImageUrl is %j', (endImageUrl) => {
    expect(valid({ endImageUrl }).endImageUrl).toBeNull();
  });
});

describe('a prompt', () => {
  it.each(['  two spaces around  ', '\ttab\n', 'emoji 👩‍👩‍👧 and 雪', '\u0007 bell', '\ufeff mark'])(
    'travels unchanged: %j',
    (prompt) => {
      expect(valid({ prompt }).prompt).toBe(prompt);
    },
  );

  it.each(['', ' ', '\t\n\r', '\u00a0\u3000\ufeff'])(
    'of nothing but white space is missing: %j',
    (prompt) => {
      expect(codes({ prompt })).toEqual(['prompt REQUIRED']);
    },
  );

  it('may have 1500 code points, including outer white space', () => {
    expect(codes({ prompt: 'x'.repeat(1500) })).toEqual([]);
    expect(codes({ prompt: '🎞'.repeat(1500) })).toEqual([]);
    expect(codes({ prompt: 'x'.repeat(1501) })).toEqual(['prompt TOO_LONG']);
    expect(codes({ prompt: '🎞'.repeat(1501) })).toEqual(['prompt TOO_LONG']);
    expect(codes({ prompt: `${'x'.repeat(1500)} ` })).toEqual(['prompt TOO_LONG']);
  });

  it('that is too long gets a message with its length and the limit', () => {
    expect(issues({ prompt: '🎞'.repeat(1501) })[0]?.message).toMatch(/1501.*1500/);
  });

  it.each(['a\0b', '\0', 'a\ud83d', '\ude00b', '\ude00\ud83d'])(
    'with NUL or half of a surrogate pair is refused: %j',
    (prompt) => {
      expect(codes({ prompt })).toEqual(['prompt INVALID_CHARACTERS']);
    },
  );
});

describe('an idempotencyKey', () => {
  it('may have 1 to 255 characters, which stay unchanged', () => {
    for (const idempotencyKey of ['k', ' k ', ' ', '🔑'.repeat(255)])
      expect(valid({ idempotencyKey }).idempotencyKey).toBe(idempotencyKey);
  });

  it.each([
    ['', 'REQUIRED'],
    ['🔑'.repeat(256), 'TOO_LONG'],
    ['k\0', 'INVALID_CHARACTERS'],
    ['k\ud83d', 'INVALID_CHARACTERS'],
  ])('%j is refused: %s', (idempotencyKey, code) => {
    expect(codes({ idempotencyKey })).toEqual([`idempotencyKey ${code}`]);
  });
});

describe('a list of issues', () => {
  it('contains all issues of all fields', () => {
    expect(
      codes({ prompt: '', imageUrl: 'ftp://a.example', endImageUrl: '//b', idempotencyKey: '' }),
    ).toEqual(['prompt REQUIRED', 'imageUrl URL_SCHEME', 'endImageUrl NOT_A_URL', 'idempotencyKey REQUIRED']);
  });

  it('contains several issues of one field', () => {
    expect(codes({ prompt: `\0${'x'.repeat(1500)}` })).toEqual([
      'prompt TOO_LONG',
      'prompt INVALID_CHARACTERS',
    ]);
  });

  it('names the field in each message', () => {
    const all = issues({ prompt: '', imageUrl: '', endImageUrl: 'x', idempotencyKey: '' });
    expect(all).toHaveLength(4);
    for (const { field, message } of all) expect(message).toMatch(new RegExp(`^${field} .*\\.$`));
  });
});
