import { useCallback, useRef, useState } from 'react';
import type { Model } from '../api/operations.ts';
import { upload, UploadFailed, type Uploaded } from '../api/upload.ts';
import { en, type Key } from '../text/en.ts';

/** An image of the form: an address that was typed, or a file on its way to one. */
export interface FormImageState {
  readonly url: string;
  /** Which part of the file has left, from 0 to 1; null when none is on its way. */
  readonly progress: number | null;
  readonly problem: Key | null;
  /** What can be shown of it here; null when there is nothing. */
  readonly preview: string | null;
  /** What the gateway found the file to be; null when it was not uploaded here. */
  readonly uploaded: Uploaded | null;
}

export interface FormImage extends FormImageState {
  /** Whether `url` can be one. */
  readonly isAddress: boolean;
  setUrl(url: string): void;
  /** Uploads a file in place of what was there. */
  choose(file: Blob): void;
  clear(): void;
  say(problem: Key | null): void;
}

const NONE: FormImageState = { url: '', progress: null, problem: null, preview: null, uploaded: null };

/** An image for a model with these rules. */
export function useImage(initialUrl: string, rules: Model['image']): FormImage {
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
      if (file.size > rules.maxBytes) {
        begin({ ...NONE, problem: 'problem_IMAGE_TOO_LARGE' });
        return;
      }
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
        (uploaded) => {
          change({ url: uploaded.url, uploaded, progress: null });
        },
        (error: unknown) => {
          change({ progress: null, problem: problemOf(error) });
        },
      );
    },
    [begin, rules],
  );

  return {
    ...state,
    problem: state.problem ?? misfit(state.uploaded, rules),
    isAddress: isAddress(state.url),
    choose,
    setUrl: (url) => {
      begin({ ...NONE, url, preview: isAddress(url) ? url.trim() : null });
    },
    clear: () => {
      begin(NONE);
    },
    say: (problem) => {
      setState((last) => ({ ...last, problem }));
    },
  };
}

function isAddress(url: string): boolean {
  return /^https?:\/\/[^/]+\/./i.test(url.trim());
}

/** Why the model does not take an image that another one would; null when nothing is known against it. */
function misfit(uploaded: Uploaded | null, rules: Model['image']): Key | null {
  if (uploaded === null) return null;
  const { bytes, contentType, height, width } = uploaded;
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  if (!rules.mediaTypes.includes(contentType)) return 'problem_IMAGE_TYPE';
  if (bytes > rules.maxBytes) return 'problem_IMAGE_TOO_LARGE';
  if (short < (rules.minSide ?? 0)) return 'problem_IMAGE_TOO_SMALL';
  if (long > (rules.maxSide ?? Infinity)) return 'problem_IMAGE_TOO_MANY_PIXELS';
  return long / short > (rules.maxRatio ?? Infinity) ? 'problem_IMAGE_ASPECT_RATIO' : null;
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
