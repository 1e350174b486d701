import { distance } from 'fastest-levenshtein';

/**
 * A tail for a message about a wrong word: `; did you mean "info"?`, or nothing when no word is near.
 * Near means at most two edits, and no more than half of the shorter word, in any letter case.
 */
export function didYouMean(wrong: string, words: readonly string[]): string {
  const near = words
    .map((word) => ({ word, edits: distance(wrong.toLowerCase(), word.toLowerCase()) }))
    .filter(({ word, edits }) => edits <= Math.min(2, Math.floor(Math.min(wrong.length, word.length) / 2)))
    .sort((a, b) => a.edits - b.edits)[0];
  return near === undefined ? '' : `; did you mean "${near.word}"?`;
}
