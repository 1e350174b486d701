import { useEffect, useRef, useState } from 'react';
import { RequestFailed } from '../api/client.ts';
import type { CreateInput, FailureCode, Issue } from '../api/operations.ts';
import type { Key } from '../text/en.ts';
import { attemptFor, pendingAttempt, send, type Attempt } from './attempt.ts';

/** How creating stands. */
export type Creating =
  | { readonly state: 'idle' }
  | { readonly state: 'sending'; readonly isUnsure: boolean }
  | { readonly state: 'created'; readonly id: string }
  | { readonly state: 'invalid'; readonly issues: readonly Issue[] }
  | { readonly state: 'refused'; readonly code: FailureCode; readonly message: string }
  /** A sentence of ours, or of the gateway. */
  | { readonly state: 'failed'; readonly text: Key; readonly said: string | null };

export interface Create {
  readonly creating: Creating;
  create(input: CreateInput): void;
  reset(): void;
}

/**
 * Creates videos from one place of the page, one at a time. What was begun there before a reload is taken up again.
 */
export function useCreate(place: string): Create {
  const [creating, setCreating] = useState<Creating>({ state: 'idle' });
  const isRunning = useRef(false);

  const run = (attempt: Attempt, isUnsure: boolean): void => {
    // Not by the state, which a second click may still see as it was.
    if (isRunning.current) return;
    isRunning.current = true;
    setCreating({ state: 'sending', isUnsure });
    outcomeOf(place, attempt, () => {
      setCreating({ state: 'sending', isUnsure: true });
    })
      .then((outcome) => {
        isRunning.current = false;
        setCreating(outcome);
      })
      // It tells of failures as outcomes.
      .catch(() => undefined);
  };

  useEffect(() => {
    const pending = pendingAttempt(place);
    if (pending) run(pending, true);
  }, [place]);

  return {
    creating,
    create: (input) => {
      run(attemptFor(place, input), false);
    },
    reset: () => {
      if (!isRunning.current) setCreating({ state: 'idle' });
    },
  };
}

async function outcomeOf(place: string, attempt: Attempt, onUnsure: () => void): Promise<Creating> {
  try {
    const result = await send(place, attempt, onUnsure);
    switch (result.__typename) {
      case 'CreateImageToVideoSuccess':
        return { state: 'created', id: result.task.id };
      case 'ValidationError':
        return { state: 'invalid', issues: result.issues };
      case 'ProviderError':
        return { state: 'refused', code: result.code, message: result.message };
      case 'IdempotencyConflictError':
        return { state: 'failed', text: 'conflict', said: result.message };
    }
  } catch (error) {
    const said = error instanceof RequestFailed ? error.said : null;
    return { state: 'failed', text: 'requestFailed', said };
  }
}
