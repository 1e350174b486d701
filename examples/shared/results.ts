interface Result<Data> {
  readonly data?: Data | null | undefined;
  readonly errors?: readonly { readonly message: string }[] | undefined;
}

/** What the clients of graphql-ws and of graphql-sse have in common. */
interface Client {
  iterate<Data>(operation: Operation): AsyncIterable<Result<Data>>;
}

interface Operation {
  readonly query: string;
  readonly variables: Record<string, unknown>;
}

/** The data of each result; throws what the gateway has against the operation. */
export async function* results<Data>(client: Client, operation: Operation): AsyncGenerator<Data> {
  for await (const { data, errors } of client.iterate<Data>(operation)) {
    if (errors || !data) throw new Error(errors?.[0]?.message ?? 'an answer without data');
    yield data;
  }
}

/** The data of the only result of a query or mutation. */
export async function result<Data>(client: Client, operation: Operation): Promise<Data> {
  for await (const data of results<Data>(client, operation)) return data;
  throw new Error('no answer');
}
