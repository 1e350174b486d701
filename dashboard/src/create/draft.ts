import { createValue } from '../api/value.ts';

const KEY = 'kineograph.prompt';

/** The prompt that is being written; a reload keeps it. */
export const draft = createValue(sessionStorage.getItem(KEY) ?? '');

draft.subscribe(() => {
  sessionStorage.setItem(KEY, draft.get());
});
