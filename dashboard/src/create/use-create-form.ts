import { useEffect, useState, type SyntheticEvent } from 'react';
import type { CreateInput, Issue, Model } from '../api/operations.ts';
import { useValue } from '../api/value.ts';
import type { Key } from '../text/en.ts';
import { language, useText } from '../text/language.ts';
import { pendingAttempt } from './attempt.ts';
import { draft } from './draft.ts';
import { limitsOf, type Limits } from './limits.ts';
import { chosenFor, type Options } from './options.ts';
import { countCharacters } from './prompt-field.tsx';
import { useCreate, type Creating } from './use-create.ts';
import { problemKey, useImage, type FormImage } from './use-image.ts';

const PLACE = 'form';

export interface CreateFormState {
  readonly model: Model;
  readonly limits: Limits;
  readonly prompt: string;
  readonly first: FormImage;
  readonly last: FormImage;
  /** What is chosen of what the model has. */
  readonly options: Options;
  readonly creating: Creating;
  readonly isUploading: boolean;
  /** The input once nothing is missing; null before. */
  readonly complete: CreateInput | null;
  /** What the gateway said is wrong with a field that is no image. */
  problemOf(field: keyof CreateInput): string | null;
  setModel(id: Model['id'] | null): void;
  setPrompt(prompt: string): void;
  changeOptions(changed: Options): void;
  submit(event: SyntheticEvent): void;
  /** What was said of the last attempt is not about what is written now. */
  reset(): void;
}

/** The form, with what is still under way from before a reload in it. */
export function useCreateForm(offered: readonly Model[], defaultModel: Model): CreateFormState {
  const t = useText();
  const [before] = useState(() => pendingAttempt(PLACE)?.input);
  const [modelId, setModelId] = useState(before?.model ?? null);
  const model = offered.find(({ id }) => id === modelId) ?? defaultModel;
  const limits = limitsOf(model, useValue(language));
  const prompt = useValue(draft);
  const first = useImage(before?.imageUrl ?? '', model.image);
  const last = useImage(before?.endImageUrl ?? '', model.image);
  const [asked, setAsked] = useState<Options>(before ?? {});
  const [issues, setIssues] = useState<readonly Issue[]>([]);
  const { create, creating, reset } = useCreate(PLACE);
  const options = chosenFor(model, { ...asked, endImageUrl: last.url.trim() });
  const input = { model: model.id, prompt, imageUrl: first.url.trim(), ...options };
  const isUploading = first.progress !== null || (options.endImageUrl !== null && last.progress !== null);
  const length = countCharacters(prompt);
  const isComplete =
    !isUploading &&
    prompt.trim() !== '' &&
    length >= model.promptMinLength &&
    length <= model.promptMaxLength &&
    first.isAddress &&
    first.problem === null;

  useEffect(() => {
    if (creating.state === 'created') {
      draft.set('');
      first.clear();
      last.clear();
    }
    if (creating.state !== 'invalid') return;
    setIssues(creating.issues);
    first.say(imageProblem(creating.issues, 'imageUrl'));
    last.say(imageProblem(creating.issues, 'endImageUrl'));
    // When the outcome changes, and not whenever an image does.
  }, [creating]);

  return {
    model,
    limits,
    prompt,
    first,
    last,
    options,
    creating,
    isUploading,
    complete: isComplete ? input : null,
    reset,
    problemOf: (field) => {
      const issue = issues.find(isOf(field));
      if (!issue) return null;
      const text = t(problemKey(issue.code) ?? 'requestFailed', limits);
      // Only the gateway knows what the model takes instead.
      return issue.code === 'NOT_ALLOWED' ? `${text} ${issue.message}` : text;
    },
    setModel: (id) => {
      setModelId(id);
      setIssues([]);
      first.say(null);
      last.say(null);
    },
    setPrompt: (next) => {
      draft.set(next);
      setIssues(issues.filter((issue) => !isOf('prompt')(issue)));
    },
    changeOptions: (changed) => {
      setAsked({ ...asked, ...changed });
      // One option may be wrong because of another.
      setIssues(issues.filter(isOf('prompt')));
    },
    submit: (event) => {
      event.preventDefault();
      if (!isUploading) create(input);
    },
  };
}

function isOf(field: keyof CreateInput): (issue: Issue) => boolean {
  return ({ path }) => path.at(-1) === field;
}

function imageProblem(issues: readonly Issue[], field: 'imageUrl' | 'endImageUrl'): Key | null {
  const issue = issues.find(isOf(field));
  return issue ? (problemKey(issue.code) ?? 'requestFailed') : null;
}
