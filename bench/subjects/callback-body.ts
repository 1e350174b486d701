import { callbackSuccess } from '../../test/kit/kie.ts';
import { taskName } from '../servers/shared/task-name.ts';
import type { Move } from './subject.ts';

/** What kie.ai posts when a task has moved; peers take the same. */
export function callbackBody(number: number, move: Move): unknown {
  const name = taskName(number);
  if (move === 'success') return callbackSuccess(name);
  return callbackSuccess(name, { state: move, resultJson: null, completeTime: null, consumeCredits: null });
}
