import { deferred, recordFailure, createQueue, named } from './waits.ts';

/** The source text of an operation, which may know the type of its data. Any string will do. */
export type Document<TData> = string & { readonly __data?: TData };

export interface GraphqlOperation<TData> {
  readonly query: Document<TData>;
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly operationName?: string;
}

/** An error as it comes over the wire. */
export interface GraphqlErrorBody {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** An execution result as it comes over the wire. */
export interface GraphqlResult<TData> {
  readonly data?: TData | null;
  readonly errors?: readonly GraphqlErrorBody[];
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** The data of a result that has no errors; throws, naming the errors, when it has some. */
export function dataOf<TData>({ data, errors }: GraphqlResult<TData>): TData {
  if (errors !== undefined) throw new Error(`The result has errors: ${JSON.stringify(errors)}`);
  if (data === undefined || data === null) throw new Error('The result has no data');
  return data;
}

interface GraphqlHttpAnswer<TData> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: GraphqlResult<TData>;
}

/** Posts an operation to a GraphQL endpoint. Throws when the answer is no JSON, whatever its status. */
export async function graphql<TData = Record<string, unknown>>(
  url: string,
  query: Document<TData>,
  variables: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<GraphqlHttpAnswer<TData>> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      accept: 'application/graphql-response+json, application/json',
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify({ query, variables }),
  });
  const body = parse(await response.text(), response.status) as GraphqlResult<TData>;
  return { status: response.status, headers: response.headers, body };
}

function parse(text: string, status: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`The answer with status ${status} is no JSON: ${text}`);
  }
}

/** How a stream of results came to its end. */
export type StreamEnd =
  | { readonly kind: 'completed' }
  | { readonly kind: 'refused'; readonly errors: readonly GraphqlErrorBody[] }
  | { readonly kind: 'closed'; readonly reason: string }
  | { readonly kind: 'stopped' };

/** The results of one subscription, in order. What comes before anybody asks for it is kept. */
export interface ResultStream<TData> extends AsyncIterable<GraphqlResult<TData>> {
  /** The next result. Rejects, saying how the stream ended, when there is none. */
  next(): Promise<GraphqlResult<TData>>;
  /** The data of the next result, which must have no errors. */
  data(): Promise<TData>;
  /** Resolves when the server has completed the stream; rejects when it ended in another way. */
  completed(): Promise<void>;
  /** The errors with which the server refused the operation; rejects when it ended in another way. */
  errors(): Promise<readonly GraphqlErrorBody[]>;
}

export interface ResultStreamSource<TData> {
  readonly stream: ResultStream<TData>;
  readonly push: (result: GraphqlResult<TData>) => void;
  /** Only the first end counts. */
  readonly end: (end: StreamEnd) => void;
}

/**
 * A result after the server itself has ended the stream breaks the protocol and fails the test. `stop` is what
 * leaving a `for await` loop does.
 */
export function createResultStream<TData>(what: string, stop: () => void): ResultStreamSource<TData> {
  const results = createQueue<GraphqlResult<TData>>(`a result of ${what}`);
  const ended = deferred<StreamEnd>();
  let end: StreamEnd | undefined;

  const nextOrDone = (): Promise<IteratorResult<GraphqlResult<TData>>> =>
    results.take().then(
      (value) => ({ done: false, value }),
      (reason: unknown) => {
        if (end?.kind === 'completed' || end?.kind === 'stopped') return { done: true, value: undefined };
        throw reason;
      },
    );

  return {
    stream: createReader(what, { take: () => results.take(), nextOrDone, ended: ended.promise, stop }),
    push(result) {
      if (end === undefined) results.push(result);
      else if (end.kind === 'completed' || end.kind === 'refused') {
        recordFailure(
          `A result came after the end: ${describe(what, end)}, then came ${JSON.stringify(result)}`,
        );
      }
    },
    end(how) {
      if (end !== undefined) return;
      end = how;
      ended.resolve(how);
      results.fail(new Error(describe(what, how)));
    },
  };
}

interface ReaderParts<TData> {
  readonly take: () => Promise<GraphqlResult<TData>>;
  readonly nextOrDone: () => Promise<IteratorResult<GraphqlResult<TData>>>;
  readonly ended: Promise<StreamEnd>;
  readonly stop: () => void;
}

function createReader<TData>(
  what: string,
  { take, nextOrDone, ended, stop }: ReaderParts<TData>,
): ResultStream<TData> {
  const end = (): Promise<StreamEnd> => named(`the end of ${what}`, ended);
  const leave = (): Promise<IteratorResult<never>> => {
    stop();
    return Promise.resolve({ done: true, value: undefined });
  };

  return {
    next: take,
    data: async () => dataOf(await take()),
    async completed() {
      const how = await end();
      if (how.kind !== 'completed') throw new Error(describe(what, how));
    },
    async errors() {
      const how = await end();
      if (how.kind !== 'refused') throw new Error(describe(what, how));
      return how.errors;
    },
    [Symbol.asyncIterator]: () => ({ next: nextOrDone, return: leave }),
  };
}

function describe(what: string, end: StreamEnd): string {
  switch (end.kind) {
    case 'completed':
      return `${what} was completed by the server`;
    case 'refused':
      return `${what} was refused: ${JSON.stringify(end.errors)}`;
    case 'closed':
      return `${what} ended with its connection: ${end.reason}`;
    case 'stopped':
      return `${what} was stopped by the test`;
  }
}
