import { useState } from 'react';
import { useText } from '../text/language.ts';
import { models } from '../api/models.ts';
import type { Task } from '../api/operations.ts';
import { useValue } from '../api/value.ts';
import { supported } from '../create/options.ts';
import { useCreate } from '../create/use-create.ts';
import { CreateStatus } from '../create/create-status.tsx';

/** Failures after which another attempt may be charged although this one was as well. */
const UNCERTAIN: readonly string[] = ['SUBMISSION_UNKNOWN', 'EXPIRED'];

/** Creates the same video once more, where that may help and its model is offered. */
export function Again({ task }: { task: Task }) {
  const t = useText();
  const { create, creating } = useCreate(`again.${task.id}`);
  const [isAsking, setIsAsking] = useState(false);
  const { endImageUrl, failure, options, promptOptimizer } = task;
  const model = useValue(models).find(({ name }) => name === task.model);
  const mayPayTwice = UNCERTAIN.includes(failure?.code ?? '');
  if (!model || (!failure?.retryable && !mayPayTwice)) return null;

  const again = (): void => {
    setIsAsking(false);
    create({
      model: model.id,
      prompt: task.prompt,
      imageUrl: task.imageUrl,
      ...supported(model, { ...options, endImageUrl, promptOptimizer }),
    });
  };
  return (
    <div>
      {isAsking ? (
        <div role="alertdialog" aria-label={t('again')}>
          <p>{t('againWarning')}</p>
          <button type="button" onClick={again}>
            {t('againYes')}
          </button>{' '}
          <button
            type="button"
            className="quiet"
            onClick={() => {
              setIsAsking(false);
            }}
          >
            {t('againNo')}
          </button>
        </div>
      ) : (
        <button
          type="button"
          disabled={creating.state === 'sending'}
          onClick={() => {
            if (mayPayTwice) setIsAsking(true);
            else again();
          }}
        >
          {t('again')}
        </button>
      )}
      <CreateStatus creating={creating} isUploading={false} />
      <p className="problem" role="alert">
        {creating.state === 'invalid' && creating.issues.map(({ message }) => message).join(' ')}
      </p>
    </div>
  );
}
