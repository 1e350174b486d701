import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import {
  createBody,
  created,
  notVisibleYet,
  refused,
  callbackFail,
  callbackSuccess,
  type KieCallback,
  resultJson,
} from '../kit/kie.ts';

/** A task as its provider knows it. */
export interface MadeTask {
  readonly id: string;
  readonly mark: string;
  readonly providerTaskId: string;
  readonly callbackPath: string;
}

/** Everything that it says of a task carries the mark of the prompt that it was given, so that it can be found again. */
export async function startMarkedProvider(): Promise<FakeProvider & { readonly made: readonly MadeTask[] }> {
  const provider = await startFakeProvider();
  const made: MadeTask[] = [];
  provider.always('createTask', (request) => {
    const { callBackUrl = '', input } = createBody(request);
    const [mark = ''] = /MARK-[\w-]+-END/.exec(input.prompt) ?? [];
    if (input.prompt.includes('refuse')) return refused(422, `no, ${mark}-refused`);
    const { pathname } = new URL(callBackUrl);
    const [, , , id = ''] = pathname.split('/');
    const providerTaskId = `${mark}-kie-${request.order}`;
    made.push({ id, mark, providerTaskId, callbackPath: pathname });
    return created(providerTaskId);
  });
  provider.always('recordInfo', notVisibleYet());
  provider.always('credit', refused(401, 'no'));
  return { ...provider, made };
}

export type Ending = 'queuing' | 'generating' | 'success' | 'fail';

/** What it calls back with. */
export function callbackOf({ mark, providerTaskId }: MadeTask, ending: Ending): KieCallback {
  if (ending === 'fail') return callbackFail(providerTaskId, { failMsg: `failed, ${mark}-failure` });
  const fields = ending === 'success' ? {} : { state: ending, resultJson: null };
  const url = `https://files.example/${mark}-result.mp4`;
  return callbackSuccess(providerTaskId, { resultJson: resultJson(url), ...fields });
}
