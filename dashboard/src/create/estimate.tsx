import { useEffect, useState } from 'react';
import { ask } from '../api/client.ts';
import { EstimateQuery, type CreateInput } from '../api/operations.ts';
import { useValue } from '../api/value.ts';
import { duration } from '../text/duration.ts';
import { language, useText } from '../text/language.ts';

/** How long the input has to stay the same before it is estimated. */
const SETTLED_MS = 500;

interface Known {
  readonly credits: number | null;
  readonly expectedSeconds: number | null;
}

const NOTHING: Known = { credits: null, expectedSeconds: null };

/** What the video will cost and how long it may take, as far as the gateway knows; `input` is null while it is incomplete. */
export function Estimate({ input }: { input: CreateInput | null }) {
  const t = useText();
  const { credits, expectedSeconds } = useEstimate(input);
  const format = new Intl.NumberFormat(useValue(language));
  const parts = [
    credits === null ? '' : t('estimateCredits', { credits: format.format(credits) }),
    expectedSeconds === null ? '' : t('estimateTime', { time: duration(expectedSeconds * 1000) }),
  ];
  return (
    <span className="hint" role="status">
      {parts.filter((part) => part !== '').join(' · ')}
    </span>
  );
}

function useEstimate(input: CreateInput | null): Known {
  const [known, setKnown] = useState(NOTHING);
  // The text of the prompt changes no estimate.
  const estimated = input && JSON.stringify({ ...input, prompt: '' });

  useEffect(() => {
    setKnown(NOTHING);
    if (!input) return;
    let isOver = false;
    const timer = setTimeout(() => {
      ask(EstimateQuery, { input }).then(
        ({ estimateImageToVideo: estimate }) => {
          if (!isOver && estimate.__typename === 'ImageToVideoEstimate') setKnown(estimate);
        },
        // There is no estimate then.
        () => undefined,
      );
    }, SETTLED_MS);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [estimated]);

  return known;
}
