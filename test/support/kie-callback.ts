import { createHmac } from 'node:crypto';
import { COMPLETED_AT, CREATED_AT, MODEL, resultJson, videoUrl, type KieFields } from './kie-fields.ts';

/** What kie.ai posts to the callback address. */
export interface KieCallback {
  readonly code: number;
  readonly msg: string;
  readonly data: KieFields;
}

/** Done, with one video. `fields` go into `data`. */
export function callbackSuccess(taskId: string, fields: KieFields = {}): KieCallback {
  const data = {
    taskId,
    model: MODEL,
    state: 'success',
    resultJson: resultJson(videoUrl(taskId)),
    failCode: null,
    failMsg: null,
    costTime: 8,
    createTime: CREATED_AT,
    updateTime: COMPLETED_AT,
    completeTime: COMPLETED_AT,
    consumeCredits: 57,
    remainedCredits: 9943,
    ...fields,
  };
  return { code: 200, msg: 'Playground task completed successfully.', data };
}

/** Failed, for free. `fields` go into `data`. */
export function callbackFail(taskId: string, fields: KieFields = {}): KieCallback {
  const data = {
    taskId,
    model: MODEL,
    state: 'fail',
    resultJson: null,
    failCode: '500',
    failMsg: 'Internal server error',
    costTime: 0,
    createTime: CREATED_AT,
    completeTime: COMPLETED_AT,
    consumeCredits: 0,
    ...fields,
  };
  return { code: 501, msg: 'Playground task failed.', data };
}

/** The headers that kie.ai adds once a key was made. They do not cover the body. */
export function sign(
  key: string,
  taskId: string,
  timestampSeconds = Math.floor(Date.now() / 1000),
): Record<'X-Webhook-Timestamp' | 'X-Webhook-Signature', string> {
  const message = `${taskId}.${timestampSeconds}`;
  return {
    'X-Webhook-Timestamp': String(timestampSeconds),
    'X-Webhook-Signature': createHmac('sha256', key).update(message).digest('base64'),
  };
}

/** Posts a callback as kie.ai does: `body` as JSON, a string as it is. A JSON answer comes parsed. */
export async function deliverCallback(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly headers: Headers; readonly body: unknown }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}
