import {
  createSourceEventStream,
  execute,
  Kind,
  OperationTypeNode,
  visit,
  type ASTNode,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type FormattedExecutionResult,
  type GraphQLError,
  type GraphQLFormattedError,
} from 'graphql';
import type { SendBudget } from './send-buffer.ts';
import type { LiveCounts } from './socket.ts';
import { isFollowable, Subscriber, type Change } from './subscriber.ts';

/** Memory of cached results in bytes: about ten thousand typical ones. */
const MAX_KEPT = 8 * 1024 * 1024;

interface HubOptions {
  /** Everything about the viewer that a result can depend on, as text. */
  readonly rightsOf: (contextValue: unknown) => string;
  /** What a client may see of an error. */
  readonly maskError: (error: unknown) => GraphQLError;
  readonly counts: LiveCounts;
  /** Whether errors of variables name nothing of the schema. */
  readonly hideSuggestions: boolean;
}

/** A subscription to start, and where its events go. */
export interface SubscriptionArgs extends ExecutionArgs {
  readonly id: string;
  readonly sendBuffer: SendBudget;
}

/** Subscriptions of all sockets. */
export interface Hub {
  /** Starts one. Its events go to its send buffer; the returned iterator only ends. A result with errors means a refusal. */
  subscribe(args: SubscriptionArgs): Promise<Subscriber | ExecutionResult>;
  /** Drops all cached results, because the database may reuse their revisions for other changes. */
  forgetResults(): void;
}

interface Shared {
  readonly group: Group;
  members: number;
}

/**
 * Subscriptions with the same document, operation, rights and variables form a group. A group shares one execution and one
 * serialisation of each change. Variables that only select what is subscribed to do not count.
 */
export function createHub({ counts, hideSuggestions, maskError, rightsOf }: HubOptions): Hub {
  const groups = new WeakMap<DocumentNode, Map<string, Shared>>();
  const variables = new WeakMap<DocumentNode, readonly string[]>();
  const results = createResults(MAX_KEPT);

  function keyOf({ contextValue, document, operationName, variableValues }: ExecutionArgs): string {
    const names = variables.get(document) ?? sharedVariables(document);
    variables.set(document, names);
    const values = names.map((name) => [name, variableValues?.[name]]);
    return JSON.stringify([operationName, rightsOf(contextValue), Object.fromEntries(values)]);
  }

  function join(args: ExecutionArgs): { readonly group: Group; readonly leave: () => void } {
    const ofDocument = groups.get(args.document) ?? new Map<string, Shared>();
    groups.set(args.document, ofDocument);
    const key = keyOf(args);
    const known = ofDocument.get(key);
    if (!known) counts.groups += 1;
    const shared = known ?? { group: createGroup({ args, maskError, results }), members: 0 };
    ofDocument.set(key, shared);
    shared.members += 1;
    return {
      group: shared.group,
      leave: () => {
        shared.members -= 1;
        if (shared.members > 0) return;
        ofDocument.delete(key);
        counts.groups -= 1;
      },
    };
  }

  return {
    forgetResults: results.clear,
    async subscribe({ id, sendBuffer, ...args }) {
      const source = await sourceOf({ ...args, hideSuggestions }, maskError);
      if (!isFollowable(source)) return source;
      const { group, leave } = join(args);
      return new Subscriber({
        id,
        sendBuffer,
        source,
        render: group.render,
        counts,
        maskError,
        onEnd: leave,
      });
    },
  };
}

async function sourceOf(args: ExecutionArgs, maskError: HubOptions['maskError']) {
  try {
    const source = await createSourceEventStream(args);
    if (isFollowable(source)) return source;
    if (Symbol.asyncIterator in source)
      throw new Error('a subscription resolved to an ordinary async iterator');
    return { errors: (source.errors ?? []).map(maskError) };
  } catch (error) {
    return { errors: [maskError(error)] };
  }
}

/** Subscriptions that get equal results. */
interface Group {
  /** The result for a change, as JSON in UTF-8. */
  render(change: Change): Uint8Array;
}

interface GroupOptions {
  /** The part of the execution that its subscribers have in common. */
  readonly args: ExecutionArgs;
  readonly maskError: (error: unknown) => GraphQLError;
  readonly results: Results;
}

// Unlike Buffer.from, it allocates memory of its own, which is freed with the result.
const ENCODER = new TextEncoder();

/**
 * Results are cached for subscribers that reach the same change later. So a result may depend only on the change and on what
 * the group has in common: late subscribers would get an old value of a field that reads the clock or the store. And two
 * changes never have the same revision.
 */
function createGroup({ args, maskError, results }: GroupOptions): Group {
  function resultOf(change: Change): ExecutionResult {
    try {
      const result = execute({ ...args, rootValue: change });
      if (result instanceof Promise) throw new Error('a field of an event resolved to a promise');
      return result.errors ? { ...result, errors: result.errors.map(maskError) } : result;
    } catch (error) {
      return { errors: [maskError(error)] };
    }
  }

  const group: Group = {
    render(change) {
      const { revision } = change;
      const known = results.get(group, revision);
      if (known) return known;
      const result = resultOf(change);
      const json = ENCODER.encode(JSON.stringify(formatResult(result) ?? result));
      results.keep(group, revision, json);
      // The next attempt may succeed. Only subscribers of this turn share the errors: setImmediate would run after
      // subscribers that catch up in the next turn.
      if (result.errors)
        queueMicrotask(() => {
          results.forget(group, revision);
        });
      return json;
    },
  };
  return group;
}

/**
 * Names of the variables that results can depend on: all but those that occur only as arguments of the root field. Variables
 * of other operations of the document may be among them.
 */
function sharedVariables(document: DocumentNode): readonly string[] {
  const names = new Set<string>();
  visit(document, {
    VariableDefinition: () => false,
    Argument: (_node, _key, _parent, _path, ancestors) => (isOfRootField(ancestors) ? false : undefined),
    Variable: ({ name }) => {
      names.add(name.value);
    },
  });
  return [...names].sort();
}

/** The last ancestors are the operation, its selection set, the selections, and the field of the argument. */
function isOfRootField(ancestors: readonly unknown[]): boolean {
  const [operation, , , field] = ancestors.slice(-4) as readonly ASTNode[];
  return (
    field?.kind === Kind.FIELD &&
    operation?.kind === Kind.OPERATION_DEFINITION &&
    operation.operation === OperationTypeNode.SUBSCRIPTION
  );
}

/** Results as JSON in UTF-8, by their group and the revision of their change. */
interface Results {
  get(group: Group, revision: number): Uint8Array | undefined;
  keep(group: Group, revision: number, json: Uint8Array): void;
  forget(group: Group, revision: number): void;
  clear(): void;
}

/** A group takes its results with it. */
type Generation = WeakMap<Group, Map<number, Uint8Array>>;

/** Memory of a result beside its text, in bytes. */
const OVERHEAD = 256;

/**
 * A cache of at most `maxBytes` for all groups, but always of the newest result. It evicts in generations: an order of single
 * results would cost time for each subscriber and change.
 */
function createResults(maxBytes: number): Results {
  let young: Generation = new WeakMap();
  let old: Generation = new WeakMap();
  let bytes = 0;

  function keep(group: Group, revision: number, json: Uint8Array): void {
    bytes += json.length + OVERHEAD;
    if (bytes > maxBytes / 2) {
      old = young;
      young = new WeakMap();
      bytes = json.length + OVERHEAD;
    }
    const own = young.get(group) ?? new Map<number, Uint8Array>();
    young.set(group, own.set(revision, json));
  }

  return {
    get(group, revision) {
      const known = young.get(group)?.get(revision);
      if (known) return known;
      const last = old.get(group)?.get(revision);
      if (last) keep(group, revision, last);
      return last;
    },
    keep,
    forget(group, revision) {
      young.get(group)?.delete(revision);
      old.get(group)?.delete(revision);
    },
    clear() {
      young = new WeakMap();
      old = new WeakMap();
      bytes = 0;
    },
  };
}

/** An error as clients get it: without the status and headers of an HTTP response. */
export function formatError(error: GraphQLError): GraphQLFormattedError {
  const formatted = error.toJSON();
  if (formatted.extensions?.['http'] === undefined) return formatted;
  const extensions = Object.entries(formatted.extensions).filter(([name]) => name !== 'http');
  return { ...formatted, extensions: Object.fromEntries(extensions) };
}

/** The same for all errors of a result; undefined if it has none. */
export function formatResult(result: ExecutionResult): FormattedExecutionResult | undefined {
  return result.errors && { ...result, errors: result.errors.map(formatError) };
}
