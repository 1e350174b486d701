import { COMPLETED_AT, CREATED_AT, MODEL, resultJson, videoUrl, type KieFields } from './kie-fields.ts';
import type { Answer } from './provider-answer.ts';
import type { ProviderRequest } from './provider-request.ts';

/** What createTask is sent, as documented. */
export interface KieCreateBody {
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

/** credit: the balance. */
export function credit(amount: number): Answer {
  return envelope(200, 'success', amount);
}

function envelope(code: number, msg: string, data: unknown): Answer {
  return { body: { code, msg, data } };
}
