import { useCallback, useRef, useState } from 'react';
import { upload, UploadFailed } from '../api/upload.ts';
import { en, type Key } from '../text/en.ts';

/** An image of the form: an address that was typed, or a file on its way to one. */
export interface FormImageState {
  readonly url: string;
  /** Which part of the file has left, from 0 to 1; null when none is on its way. */
  readonly progress: number | null;
  readonly problem: Key | null;
  /** What can be shown of it here; null when there is nothing. */
  readonly preview: string | null;
}

export interface FormImage extends FormImageState {
  setUrl(url: string): void;
  /** Uploads a file in place of what was there. */
  choose(file: Blob): void;
  clear(): void;
  say(problem: Key | null): void;
}

const NONE: FormImageState = { url: '', progress: null, problem: null, preview: null };

export function useImage(initialUrl: string): FormImage {
  const [state, setState] = useState<FormImageState>({
    ...NONE,
    url: initialUrl,
    preview: initialUrl || null,
  });
  const running = useRef<AbortController | null>(null);

  const begin = useCallback((next: FormImageState): void => {
    running.current?.abort();
    running.current = null;
    setState((last) => {
      if (last.preview?.startsWith('blob:') && last.preview !== next.preview)
        URL.revokeObjectURL(last.preview);
      return next;
    });
  }, []);

  const choose = useCallback(
    (file: Blob): void => {
      begin({ ...NONE, progress: 0, preview: URL.createObjectURL(file) });
      const controller = new AbortController();
      running.current = controller;
      const change = (fields: Partial<FormImageState>): void => {
        if (!controller.signal.aborted) setState((last) => ({ ...last, ...fields }));
      };
      upload(
        file,
        (progress) => {
          change({ progress });
        },
        controller.signal,
      ).then(
        ({ url }) => {
          change({ url, progress: null });
        },
        (error: unknown) => {
          change({ progress: null, problem: problemOf(error) });
        },
      );
    },
    [begin],
  );

  return {
    ...state,
    choose,
    setUrl: (url) => {
      begin({ ...NONE, url, preview: /^https?:\/\/[^/]+\/./i.test(url.trim()) ? url.trim() : null });
    },
    clear: () => {
      begin(NONE);
    },
    say: (problem) => {
      setState((last) => ({ ...last, problem }));
    },
  };
}

function problemOf(error: unknown): Key {
  const code = error instanceof UploadFailed ? error.code : null;
  return problemKey(code) ?? 'uploadFailed';
}

/** The text for a code that speaks of an input; null when there is none. */
export function problemKey(code: string | null): Key | null {
  const key = `problem_${code ?? ''}`;
  return key in en ? (key as Key) : null;
}
