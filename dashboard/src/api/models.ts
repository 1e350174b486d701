import { useEffect } from 'react';
import { ask } from './client.ts';
import { ModelsQuery, type Model } from './operations.ts';
import { createValue } from './value.ts';

/** The models that this gateway offers, the default first; none until they are loaded. */
export const models = createValue<readonly Model[]>([]);

const RETRY_MS = 2000;

/** Loads the models when the component is shown, and retries until there is an answer. */
export function useModels(): void {
  useEffect(() => {
    let isOver = false;
    const load = (): void => {
      if (isOver) return;
      ask(ModelsQuery, {}).then(
        (answer) => {
          models.set(answer.models);
        },
        () => {
          setTimeout(load, RETRY_MS);
        },
      );
    };
    load();
    return () => {
      isOver = true;
    };
  }, []);
}
