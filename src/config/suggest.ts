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

/**
 * One mistake for each variable that is set and nearly, but not quite, one of ours that is not set.
 * Conservative, since every process inherits variables of others: short names such as PORT are never
 * guessed at, nor names like KIE_API_KEY_2 beside a KIE_API_KEY.
 */
export function misspeltVariables(set: Readonly<Record<string, string>>, ours: readonly string[]): string[] {
  const unset = ours.filter((name) => set[name] === undefined);
  return Object.keys(set)
    .filter((name) => !ours.includes(name))
    .flatMap((name) => {
      const meant = unset.find((candidate) => isNear(name.toUpperCase(), candidate));
      // The value stays out of the message: it may be a secret under a wrong name.
      return meant === undefined ? [] : [`${name} is not a variable of Kineograph; did you mean ${meant}?`];
    });
}

function isNear(name: string, ours: string): boolean {
  if (ours.length < 8 || !name.startsWith(ours.charAt(0))) return false;
  const edits = distance(name, ours);
  return edits <= 1 || (edits === 2 && (ours.length >= 10 || sameLetters(name, ours)));
}

function sameLetters(a: string, b: string): boolean {
  const sorted = (text: string) => Array.from(text).sort().join('');
  return sorted(a) === sorted(b);
}
