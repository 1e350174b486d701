import type { Plugin } from 'graphql-yoga';
import { refusalHeaders, refusalJson } from './admission.ts';
import type { Arrival } from './graphql.ts';

/** Answers whoever was not let in, before anything of the request is read. */
export const refuseUnadmitted: Plugin<object, Arrival> = {
  onRequest({ endResponse, fetchAPI, request, serverContext }) {
    const { admission } = serverContext;
    if ('caller' in admission || request.method === 'OPTIONS') return;
    const { refusal } = admission;
    const headers = {
      'content-type': 'application/json; charset=utf-8',
      ...refusalHeaders(refusal),
    };
    endResponse(new fetchAPI.Response(refusalJson(refusal), { status: refusal.status, headers }));
  },
};
