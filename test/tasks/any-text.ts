import fc from 'fast-check';

/** Characters with a history of trouble: NUL, white space, controls, halves of surrogate pairs, marks, quotes. */
const TRICKY = [
  ...Array.from('\0 \t\n\r\u0007\u007f\u0085\u00a0\u200b\u2028\u202e\u3000\ufeff\ufffd\uffff\'"\\%_;#?@:/🎞é'),
  '\ud83d',
  '\ude00',
  'e\u0301',
  '👩‍👩‍👧',
];

/** Any text whatsoever, with any UTF-16 code unit at any place, tricky ones more often than others. */
export const anyText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.constantFrom(...TRICKY),
      fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
      fc.string({ unit: 'grapheme', maxLength: 3 }),
    ),
    { maxLength: 20 },
  )
  .map((units) => units.join(''));

/** Texts that look like URLs more or less. */
export const anyUrl: fc.Arbitrary<string> = fc.oneof(
  anyText,
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
  fc
    .tuple(
      fc.constantFrom('https://', 'http://', 'HTTPS://', 'https:', 'ftp://', '//', 'data:', ' https://'),
      fc.constantFrom('files.example', '[::1]', 'ann@files.example', 'bücher.example', ''),
      fc.constantFrom('/', ':80/', '?', '#', '\\', ''),
      anyText,
    )
    .map((parts) => parts.join('')),
);
