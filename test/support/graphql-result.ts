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
