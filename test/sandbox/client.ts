import { onTestFinished } from 'vitest';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/sandbox.ts';

/** An answer of the API: the HTTP status beside the envelope. */
export interface Answer {
  readonly http: number;
  readonly code: number;
  readonly msg: string;
  readonly data: unknown;
}

/** A task's record as JSON brings it. */
export interface RecordJson {
  readonly [field: string]: unknown;
  readonly param: string;
  readonly resultJson: string;
}

export interface Client extends Sandbox {
  call(path: string, init?: RequestInit): Promise<Answer>;
  /** createTask with a body of one's own. */
  send(body: unknown): Promise<Answer>;
  /** createTask with a valid body, `prompt` and `callBackUrl` as given; the new task's id. */
  create(prompt?: string, callBackUrl?: string): Promise<string>;
  /** The data of recordInfo, which must answer 200. */
  record(taskId: string): Promise<RecordJson>;
  credits(): Promise<unknown>;
}

/** A valid create request with one part of its input replaced. */
export function requestWith(input: object = {}, top: object = {}): object {
  return {
    model: 'hailuo/02-image-to-video-pro',
    input: { prompt: 'a page turns', image_url: 'https://files.example.com/first.png', ...input },
    ...top,
  };
}

/** A sandbox of quick tasks, visible at once, closed when the test is over; and a caller with a key. */
export async function startClient(options: Partial<SandboxOptions> = {}): Promise<Client> {
  const sandbox = await startSandbox({
    hmacKey: 'a webhook key',
    durationMs: 10,
    invisibleMs: 0,
    callbackRetryDelaysMs: [5, 5, 5],
    ...options,
  });
  onTestFinished(() => sandbox.close());
  const authorization = 'Bearer a-key';

  async function call(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(`${sandbox.url}${path}`, { headers: { authorization }, ...init });
    return { http: response.status, ...((await response.json()) as Omit<Answer, 'http'>) };
  }
  function send(body: unknown): Promise<Answer> {
    const headers = { authorization, 'content-type': 'application/json' };
    return call('/api/v1/jobs/createTask', { method: 'POST', headers, body: JSON.stringify(body) });
  }
  return {
    ...sandbox,
    call,
    send,
    async create(prompt = 'a page turns', callBackUrl) {
      const { msg, data } = await send(
        requestWith({ prompt }, callBackUrl === undefined ? {} : { callBackUrl }),
      );
      if (data === null) throw new Error(msg);
      return (data as { taskId: string }).taskId;
    },
    async record(taskId) {
      const { msg, data } = await call(`/api/v1/jobs/recordInfo?taskId=${taskId}`);
      if (data === null) throw new Error(msg);
      return data as RecordJson;
    },
    credits: async () => (await call('/api/v1/chat/credit')).data,
  };
}
