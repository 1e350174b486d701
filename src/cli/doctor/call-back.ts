import { randomBytes, randomUUID } from 'node:crypto';
import { USER_AGENT } from '../../app/user-agent.ts';
import { parseJson, fieldsOf } from '../../providers/kie/wire.ts';
import { signatureHeaders } from '../../sandbox/callbacks.ts';
import { createCallbackAddress } from '../../tasks/callback-address.ts';
import { REFUSALS } from '../../webhooks/refusals.ts';
import { REQUEST_MS } from './in-time.ts';

/**
 * Who answered a callback about a task that does not exist.
 * - ours: a gateway that knows the secret of our store; `isSigned` says whether it took the signature.
 * - another: a gateway whose store has another secret, or ours is not known.
 * - troubled: a gateway that cannot reach its store.
 * - stranger: something else.
 * - silent: nobody.
 */
export type Echo =
  | { readonly kind: 'ours'; readonly isSigned: boolean }
  | { readonly kind: 'another' }
  | { readonly kind: 'troubled' }
  | { readonly kind: 'stranger'; readonly answer: Response }
  | { readonly kind: 'silent'; readonly error: unknown };

/**
 * Calls back as kie.ai does, about a task that does not exist: it changes nothing, and tells nobody more than the token of
 * no task. Only who has the secret can tell a right token from a wrong one. Never rejects.
 */
export async function callBack(options: {
  readonly origin: string;
  /** null when it is not known. */
  readonly secret: Buffer | null;
  /** Signs the call; null for a call without a signature. */
  readonly hmacKey: string | null;
}): Promise<Echo> {
  const { hmacKey, origin, secret } = options;
  const address = createCallbackAddress(secret ?? randomBytes(32), () => origin);
  const providerTaskId = `doctor-${randomUUID()}`;
  const body = { code: 200, msg: 'kineograph doctor', data: { taskId: providerTaskId, state: 'waiting' } };
  try {
    const answer = await fetch(address.urlFor(randomUUID()) ?? origin, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': USER_AGENT,
        ...(hmacKey !== null && signatureHeaders(hmacKey, providerTaskId, Date.now())),
      },
      body: JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.timeout(REQUEST_MS),
    });
    return echoIn(answer, await answer.text());
  } catch (error) {
    return { kind: 'silent', error };
  }
}

function echoIn(answer: Response, body: string): Echo {
  const detail = fieldsOf(parseJson(body))?.['detail'];
  const says = (refusal: keyof typeof REFUSALS): boolean =>
    answer.status === REFUSALS[refusal].status && detail === REFUSALS[refusal].detail;
  if (says('task')) return { kind: 'ours', isSigned: true };
  if (says('signature')) return { kind: 'ours', isSigned: false };
  if (says('token')) return { kind: 'another' };
  return says('store') ? { kind: 'troubled' } : { kind: 'stranger', answer };
}
