import { callbackSuccess, resultJson, videoUrl } from '../../test/kit/kie.ts';
import { taskName } from '../servers/shared/task-name.ts';
import type { Move } from './subject.ts';

/** What kie.ai posts when a task has moved; peers take the same. */
export function callbackBody(number: number, move: Move, url = videoUrl(taskName(number))): unknown {
  const name = taskName(number);
  if (move === 'success') return callbackSuccess(name, { resultJson: resultJson(url) });
  return callbackSuccess(name, { state: move, resultJson: null, completeTime: null, consumeCredits: null });
}
