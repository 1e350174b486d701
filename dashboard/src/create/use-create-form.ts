import { useEffect, useState, type SyntheticEvent } from 'react';
import type { Issue } from '../api/operations.ts';
import { useValue } from '../api/value.ts';
import type { Key } from '../text/en.ts';
import { pendingAttempt } from './attempt.ts';
import { draft } from './draft.ts';
import { useCreate, type Creating } from './use-create.ts';
import { problemKey, useImage, type FormImage } from './use-image.ts';

const PLACE = 'form';

export interface CreateFormState {
  readonly prompt: string;
  readonly promptProblem: Key | null;
  readonly first: FormImage;
  readonly last: FormImage;
  readonly optimizer: boolean;
  readonly creating: Creating;
  readonly isUploading: boolean;
  setPrompt(prompt: string): void;
  setOptimizer(optimizer: boolean): void;
  submit(event: SyntheticEvent): void;
  /** What was said of the last attempt is not about what is written now. */
  reset(): void;
}

/** The form, with what is still under way from before a reload in it. */
export function useCreateForm(): CreateFormState {
  const [before] = useState(() => pendingAttempt(PLACE)?.input);
  const prompt = useValue(draft);
  const first = useImage(before?.imageUrl ?? '');
  const last = useImage(before?.endImageUrl ?? '');
  const [optimizer, setOptimizer] = useState(before?.promptOptimizer ?? true);
  const [promptProblem, setPromptProblem] = useState<Key | null>(null);
  const { create, creating, reset } = useCreate(PLACE);
  const isUploading = first.progress !== null || last.progress !== null;

  useEffect(() => {
    if (creating.state === 'created') {
      draft.set('');
      first.clear();
      last.clear();
    }
    if (creating.state !== 'invalid') return;
    setPromptProblem(problemOf(creating.issues, 'prompt'));
    first.say(problemOf(creating.issues, 'imageUrl'));
    last.say(problemOf(creating.issues, 'endImageUrl'));
    // When the outcome changes, and not whenever an image does.
  }, [creating]);

  return {
    prompt,
    promptProblem,
    first,
    last,
    optimizer,
    creating,
    isUploading,
    setOptimizer,
    reset,
    setPrompt: (next) => {
      draft.set(next);
      setPromptProblem(null);
    },
    submit: (event) => {
      event.preventDefault();
      if (isUploading) return;
      const endImageUrl = last.url.trim();
      create({
        prompt,
        imageUrl: first.url.trim(),
        ...(endImageUrl !== '' && { endImageUrl }),
        promptOptimizer: optimizer,
      });
    },
  };
}

function problemOf(issues: readonly Issue[], field: string): Key | null {
  const issue = issues.find(({ path }) => path.at(-1) === field);
  return issue ? (problemKey(issue.code) ?? 'requestFailed') : null;
}
