import { describe, expect, it } from 'vitest';
import { validateInput } from '../../src/tasks/validate-input.ts';

/** The normalised URL, or the codes of what is wrong with it; the same for both fields that take one. */
function check(url: string): string | string[] {
  const answers = (['imageUrl', 'endImageUrl'] as const).map((field) => {
    const result = validateInput({ prompt: 'snow', imageUrl: 'https://files.example/1.png', [field]: url });
    return 'valid' in result ? (result.valid[field] ?? '') : result.issues.map(({ code }) => code);
  });
  expect(answers[1]).toEqual(answers[0]);
  return answers[0] ?? [];
}

describe('the URL of an image', () => {
  it.each([
    ['of http', 'http://files.example/a.png'],
    ['with a scheme in upper case', 'HTTPS://FILES.EXAMPLE/A.PNG'],
    ['with a port', 'https://files.example:8443/a.png'],
    ['without a path', 'https://files.example'],
    ['with a query and a fragment', 'https://files.example/a.png?size=1&x=%20#top'],
    ['with an international host', 'https://bücher.example/ü.png'],
    ['with another international host', 'https://例え.テスト/絵.png'],
    ['of a host in private', 'http://192.168.1.10/a.png'],
    ['of this machine', 'http://localhost:8080/a.png'],
    ['of IPv4', 'http://127.0.0.1/a.png'],
    ['of IPv6', 'http://[::1]:8080/a.png'],
    ['of a host without dots', 'http://nas/a.png'],
    ['with an @ in its path', 'https://files.example/@ann/a.png'],
  ])('stays unchanged with %s: %s', (_, url) => {
    expect(check(url)).toBe(url);
  });

  it('with an international host is valid after many validations', () => {
    const url = 'https://bücher.example/ü.png';
    for (let count = 0; count < 20_000; count += 1) check(url);
    expect(check(url)).toBe(url);
  });

  it.each([' ', '\n', '\t\r\n', '\u00a0', '\u3000', '\ufeff'])('is trimmed of %j', (space) => {
    expect(check(`${space}https://files.example/a.png${space}`)).toBe('https://files.example/a.png');
  });

  it('may have 2048 characters after trimming', () => {
    const longest = `https://files.example/${'🎞'.repeat(2026)}`;
    expect(check(longest)).toBe(longest);
    expect(check(`  ${longest}  `)).toBe(longest);
    expect(check(`${longest}x`)).toEqual(['TOO_LONG']);
  });
});

describe('a text that is not an absolute URL', () => {
  it.each([
    'a.png',
    '/a.png',
    './a.png',
    '?a',
    '#a',
    'files.example/a.png',
    '//files.example/a.png',
    'http:',
    'https:',
    'http://',
    'https:///a.png',
    'https:files.example',
    'https:/files.example/a.png',
    'https:////files.example/a.png',
    'https:\\\\files.example\\a.png',
    'https:/\\files.example/a.png',
    'https://\\files.example/a.png',
    'https://files.example:99999/a.png',
    'https://files.example:port/a.png',
    'https://[::1/a.png',
    'https://[hello]/a.png',
    'https://999.999.999.999/a.png',
    'https://%zz/a.png',
    '://files.example/a.png',
    'the image',
  ])('is refused: %s', (url) => {
    expect(check(url)).toEqual(['NOT_A_URL']);
  });

  it.each([
    'https://files.example/a b.png',
    'https://files. example/a.png',
    'https://files.example/a\tb.png',
    'ht\ntps://files.example/a.png',
    'https://files.example/a\r\nb.png',
    'https://files.example/a\u00a0b.png',
    'https://files.example/a\u2028b.png',
    'https://files.example/a\u0007b.png',
    'https://files.example/a\u007fb.png',
    'https:// files.example/a.png',
    'data:image/png; base64,AAAA',
  ])('because of white space or control characters is refused, with a hint: %j', (url) => {
    expect(check(url)).toEqual(['NOT_A_URL']);
    const result = validateInput({ prompt: 'snow', imageUrl: url });
    expect('issues' in result && result.issues[0]?.message).toContain('%20');
  });
});

describe('a URL that the provider cannot use', () => {
  it.each([
    'data:image/png;base64,iVBORw0KGgo=',
    'javascript:alert(1)',
    'JAVASCRIPT:alert(1)',
    'file:///etc/passwd',
    'ftp://files.example/a.png',
    'blob:https://files.example/1',
    's3://bucket/a.png',
    'about:blank',
    'mailto:ann@files.example',
    'localhost:8080/a.png',
  ])('with another scheme is refused: %s', (url) => {
    expect(check(url)).toEqual(['URL_SCHEME']);
  });

  it.each([
    'https://ann:secret@files.example/a.png',
    'https://ann@files.example/a.png',
    'https://:secret@files.example/a.png',
    'https://%61nn@files.example/a.png',
    'https://files.example:80@evil.example/a.png',
  ])('with credentials is refused: %s', (url) => {
    expect(check(url)).toEqual(['URL_CREDENTIALS']);
  });

  it('with credentials gets a message without them', () => {
    const result = validateInput({ prompt: 'snow', imageUrl: 'https://ann:hush@files.example/a.png' });
    expect(JSON.stringify(result)).not.toContain('hush');
  });

  it.each(['https://files.example/\0', 'https://files.example/\ud83d.png'])(
    'because of characters that do not survive every wire is refused: %j',
    (url) => {
      expect(check(url)).toEqual(['INVALID_CHARACTERS']);
    },
  );

  it('that is too long is told so, and is not examined further', () => {
    expect(check(`ftp://ann:secret@files.example/${'x'.repeat(2048)}`)).toEqual(['TOO_LONG']);
  });

  it('with several problems gets several issues', () => {
    expect(check('ftp://ann:secret@files.example/a.png')).toEqual(['URL_SCHEME', 'URL_CREDENTIALS']);
  });

  it('that is empty is refused', () => {
    for (const imageUrl of ['', '  ']) {
      const result = validateInput({ prompt: 'snow', imageUrl });
      expect('issues' in result && result.issues).toMatchObject([{ field: 'imageUrl', code: 'REQUIRED' }]);
    }
  });
});
