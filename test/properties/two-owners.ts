import { SignJWT } from 'jose';
import {
  callbackFail,
  callbackSuccess,
  createBody,
  created,
  notVisibleYet,
  refused,
  resultJson,
  type KieCallback,
} from '../kit/kie.ts';
import { startFakeProvider } from '../kit/provider.ts';

/** One of the two owners of each story. */
export type Who = 'a' | 'b';

export const JWT_SECRET = 'the-secret-with-which-tokens-of-these-tests-are-signed';

export async function authorizationOf(owner: string): Promise<string> {
  const token = await new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(owner)
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(JWT_SECRET));
  return `Bearer ${token}`;
}

/** A task as its provider knows it. */
export interface MadeTask {
  readonly id: string;
  readonly mark: string;
  readonly providerTaskId: string;
  readonly callbackPath: string;
}

export type MarkedProvider = Awaited<ReturnType<typeof startMarkedProvider>>;

/** Everything that it says of a task carries the mark of its prompt, so that it can be found again. */
export async function startMarkedProvider() {
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
