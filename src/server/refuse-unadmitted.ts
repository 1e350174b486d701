import type { Plugin } from 'graphql-yoga';
import { refusalHeaders, refusalHint, type Refusal } from './admission.ts';
import type { Arrival } from './graphql.ts';

/** Answers whoever was not let in, before anything of the request is read. */
export const refuseUnadmitted: Plugin<object, Arrival> = {
  onRequest({ endResponse, fetchAPI, request, serverContext }) {
    const { admission } = serverContext;
    if ('caller' in admission || request.method === 'OPTIONS') return;
    const { refusal } = admission;
    const extensions = {
      code: refusal.code,
      ...(refusal.retryAfterS !== null && {
        hint: refusalHint(refusal),
        retryAfter: refusal.retryAfterS,
      }),
    };
    const body = JSON.stringify({ errors: [{ message: refusal.message, extensions }] });
    endResponse(new fetchAPI.Response(body, { status: refusal.status, headers: headersOf(refusal) }));
  },
};

function headersOf(refusal: Refusal): Record<string, string> {
  return { 'content-type': 'application/json; charset=utf-8', ...refusalHeaders(refusal) };
}
