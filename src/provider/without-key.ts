import type { CreateOutcome, QueryAnswer } from '../tasks/provider.ts';

// What the provider says may repeat the key that it was called with.

export function outcomeWithoutKey(outcome: CreateOutcome, key: string): CreateOutcome {
  if ('failure' in outcome) return { ...outcome, failure: hide(outcome.failure, key) };
  return 'said' in outcome ? { ...outcome, said: hide(outcome.said, key) } : outcome;
}

export function answerWithoutKey(answer: QueryAnswer, key: string): QueryAnswer {
  if (answer.kind !== 'update') return answer.said ? { ...answer, said: hide(answer.said, key) } : answer;
  const { update } = answer;
  if (update.state !== 'FAIL') return answer;
  return { ...answer, update: { ...update, failure: hide(update.failure, key) } };
}

function hide<Words extends { readonly message: string | null }>(words: Words, key: string): Words {
  return words.message === null ? words : { ...words, message: words.message.replaceAll(key, '[redacted]') };
}
