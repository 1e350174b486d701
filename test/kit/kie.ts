import type { Answer, ProviderRequest } from './provider.ts';
import { createHmac } from 'node:crypto';

/** What createTask is sent, as documented. */
interface KieCreateBody {
  readonly model: string;
  readonly callBackUrl?: string;
  readonly input: {
    readonly prompt: string;
    readonly image_url: string;
    readonly end_image_url?: string;
    readonly prompt_optimizer?: boolean;
  };
}

/** The body of a request that the test knows to be a createTask; its shape is not checked. */
export function createBody(request: ProviderRequest): KieCreateBody {
  return request.body as KieCreateBody;
}

/** createTask: accepted. */
export function created(taskId: string): Answer {
  return envelope(200, 'success', { taskId });
}

/** Any route: no, or not now. kie.ai mostly says so under HTTP 200. */
export function refused(code: number | string, msg: string, { http = 200 } = {}): Answer {
  return { status: http, body: { code, msg, data: null } };
}

/**
 * recordInfo: the task, `waiting` unless told otherwise. The real answer also echoes the create request in
 * `param`; it is left out here unless given, made by `param(…)`, since it would have to name the right
 * callback address.
 */
export function record(taskId: string, fields: KieFields = {}): Answer {
  return envelope(200, 'success', {
    taskId,
    model: MODEL,
    state: 'waiting',
    resultJson: '',
    failCode: '',
    failMsg: '',
    costTime: 0,
    createTime: CREATED_AT,
    updateTime: CREATED_AT,
    completeTime: null,
    creditsConsumed: null,
    ...fields,
  });
}

/** recordInfo: done, with one video. */
export function succeeded(taskId: string, url = videoUrl(taskId), fields: KieFields = {}): Answer {
  return record(taskId, {
    state: 'success',
    resultJson: resultJson(url),
    costTime: COMPLETED_AT - CREATED_AT,
    updateTime: COMPLETED_AT,
    completeTime: COMPLETED_AT,
    creditsConsumed: 57,
    ...fields,
  });
}

/** recordInfo: done, without a video. */
export function failed(
  taskId: string,
  code = '500',
  msg = 'Internal server error',
  fields: KieFields = {},
): Answer {
  return record(taskId, {
    state: 'fail',
    failCode: code,
    failMsg: msg,
    updateTime: COMPLETED_AT,
    completeTime: COMPLETED_AT,
    ...fields,
  });
}

/** recordInfo: what kie.ai says of a task in its first seconds. */
export function notVisibleYet(): Answer {
  return refused(422, 'recordInfo is null');
}

/** upload: taken, to be found there. */
export function uploaded(downloadUrl: string): Answer {
  const [fileName = ''] = downloadUrl.split('/').slice(-1);
  const data = {
    fileName,
    filePath: `kineograph/${fileName}`,
    downloadUrl,
    fileSize: 1,
    mimeType: 'image/png',
  };
  return { body: { success: true, code: 200, msg: 'File uploaded successfully', data } };
}

/** download-url: another URL of a video. */
export function freshUrl(url: string): Answer {
  return envelope(200, 'success', url);
}

/** credit: the balance. */
export function credit(amount: number): Answer {
  return envelope(200, 'success', amount);
}

function envelope(code: number, msg: string, data: unknown): Answer {
  return { body: { code, msg, data } };
}

/** Fields of a task as kie.ai tells them. `undefined` leaves a field out. */
type KieFields = Readonly<Record<string, unknown>>;

export const MODEL = 'hailuo/02-image-to-video-pro';
const CREATED_AT = 1_763_798_400_000;
const COMPLETED_AT = CREATED_AT + 60_000;

/** The result of a task when the test names no other. */
export function videoUrl(taskId: string): string {
  return `https://files.example/${taskId}.mp4`;
}

/** The `resultJson` of a task that is done. */
export function resultJson(...urls: readonly string[]): string {
  return JSON.stringify({ resultUrls: urls });
}

/** The `param` of a record or callback: the create request as a JSON string. */
export function param(callBackUrl?: string): string {
  const input = { prompt: 'slow push-in, snow falling', image_url: 'https://files.example/first.png' };
  return JSON.stringify({ model: MODEL, callBackUrl, input });
}

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
