import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

export interface TaskNews {
  readonly state: string;
  readonly creditsConsumed: number | null;
  readonly videos: readonly { readonly url: string }[];
  readonly failure: { readonly code: string; readonly message: string } | null;
}

interface Result<Data> {
  readonly data?: Data | null;
  readonly errors?: readonly { readonly message: string }[];
}

interface CreateData {
  readonly createImageToVideo: {
    readonly __typename: string;
    readonly task?: { readonly id: string };
    readonly message?: string;
    readonly issues?: readonly { readonly path: readonly string[]; readonly message: string }[];
  };
}

const CREATE = /* GraphQL */ `
  mutation Create($input: CreateImageToVideoInput!) {
    createImageToVideo(input: $input) {
      __typename
      ... on CreateImageToVideoSuccess {
        task {
          id
        }
      }
      ... on UserError {
        message
      }
      ... on ValidationError {
        issues {
          path
          message
        }
      }
    }
  }
`;

const WATCH = /* GraphQL */ `
  subscription Watch($id: ID!) {
    taskUpdated(id: $id) {
      state
      creditsConsumed
      videos {
        url
      }
      failure {
        code
        message
      }
    }
  }
`;

/** Creates a task over HTTP and returns its id. Throws, saying why, when none was created. */
export async function createTask(url: string, input: object, signal: AbortSignal): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: CREATE, variables: { input } }),
    signal,
  });
  const { createImageToVideo: result } = dataOf((await response.json()) as Result<CreateData>);
  if (result.__typename === 'CreateImageToVideoSuccess' && result.task) return result.task.id;
  const issues = result.issues?.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
  throw new Error([`${result.__typename}: ${result.message ?? ''}`, ...issues].join('\n  '));
}

/** Follows a task over a WebSocket to its end and returns its videos' addresses. Throws when it failed. */
export async function watchTask(
  url: string,
  id: string,
  signal: AbortSignal,
  onNews: (news: TaskNews) => void,
): Promise<readonly string[]> {
  const client = createClient({ url: url.replace(/^http/, 'ws'), webSocketImpl: WebSocket });
  const events = client.iterate<{ readonly taskUpdated: TaskNews }>({ query: WATCH, variables: { id } });
  signal.addEventListener('abort', () => void events.return?.());
  let last: TaskNews | null = null;
  for await (const result of events) {
    last = dataOf(result as Result<{ readonly taskUpdated: TaskNews }>).taskUpdated;
    onNews(last);
  }
  await client.dispose();
  if (last?.state === 'SUCCESS') return last.videos.map((video) => video.url);
  throw new Error(
    last?.failure ? `${last.failure.code}: ${last.failure.message}` : 'the subscription ended too early',
  );
}

function dataOf<Data>({ data, errors }: Result<Data>): Data {
  if (data === undefined || data === null || errors !== undefined) {
    throw new Error(errors?.map(({ message }) => message).join('; ') ?? 'an answer without data');
  }
  return data;
}
