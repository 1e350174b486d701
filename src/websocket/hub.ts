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

/** How much memory kept results may take, in bytes: some ten thousand usual ones. */
const MAX_KEPT = 8 * 1024 * 1024;

interface HubOptions {
  /** Everything of a caller that a result can depend on, as text. */
  readonly rightsOf: (contextValue: unknown) => string;
  /** What a client may see of an error. */
  readonly maskError: (error: unknown) => GraphQLError;
  readonly counts: LiveCounts;
  /** Whether errors of variables name nothing of the schema. */
  readonly hideSuggestions: boolean;
}

/** A subscription to be begun, and where its events go. */
export interface SubscriptionArgs extends ExecutionArgs {
  readonly id: string;
  readonly outlet: SendBudget;
}

/** Subscriptions of all sockets. */
export interface Hub {
  /** Begins one. Its events go to its outlet; the returned iterable only ends. A result instead of it says why not. */
  subscribe(args: SubscriptionArgs): Promise<Subscriber | ExecutionResult>;
  /** Forgets the results that were made so far: their revisions may be given to other changes. */
  forgetResults(): void;
}

interface Shared {
  readonly group: Group;
  members: number;
}

/**
 * Subscriptions whose results can only come out the same share one execution and one serialisation of each change: those
 * with the same document, operation, rights and variables, apart from what only says what is subscribed to.
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
    async subscribe({ id, outlet, ...args }) {
      const source = await sourceOf({ ...args, hideSuggestions }, maskError);
      if (!isFollowable(source)) return source;
      const { group, leave } = join(args);
      return new Subscriber({ id, outlet, source, render: group.render, counts, maskError, onEnd: leave });
    },
  };
}

async function sourceOf(args: ExecutionArgs, maskError: HubOptions['maskError']) {
  try {
    const source = await createSourceEventStream(args);
    if (isFollowable(source)) return source;
    if (Symbol.asyncIterator in source)
      throw new Error('a subscription resolved to something that cannot be followed');
    return { errors: (source.errors ?? []).map(maskError) };
  } catch (error) {
    return { errors: [maskError(error)] };
  }
}

/** Subscriptions whose results can only come out the same: what one of them needs is made once for all. */
interface Group {
  /** The result for a change, as JSON in UTF-8. */
  render(change: Change): Uint8Array;
}

interface GroupOptions {
  /** What its members have in common. */
  readonly args: ExecutionArgs;
  readonly maskError: (error: unknown) => GraphQLError;
  readonly results: Results;
}

// Unlike Buffer.from it takes memory of its own, which is freed with the result.
const ENCODER = new TextEncoder();

/**
 * Results are kept for members that come to the same change later. So a result may depend on nothing but the change and
 * what the members of a group have in common: a field of the schema that reads the clock, a setting that changes or the
 * store would be sent to late subscribers as it was. And no two changes may have the same revision.
 */
function createGroup({ args, maskError, results }: GroupOptions): Group {
  function resultOf(change: Change): ExecutionResult {
    try {
      const result = execute({ ...args, rootValue: change });
      if (result instanceof Promise) throw new Error('a field of an event has no value yet');
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
      // It may come out well the next time. Those who receive the change in one go share it; setImmediate would be too
      // late, after who catches up in the next turn of the event loop.
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
 * The names of the variables on which the results of a subscription can depend: all but those that only say what is
 * subscribed to, as arguments of the root field. Those of other operations of the document may be among them.
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

/** Its ancestors end with an operation, its selection set, the selections, and the field that it is an argument of. */
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

/** What goes with its last member: a group that is gone leaves nothing here. */
type Generation = WeakMap<Group, Map<number, Uint8Array>>;

/** What one takes in memory beside its text, in bytes. */
const OVERHEAD = 256;

/**
 * Keeps results of all groups in `maxBytes` of memory together, but in any case the last one. Those that nobody asked for
 * lately give way, many at once: keeping an order of single ones would cost each member of each change.
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

/** An error as clients get it: without the status and headers that its HTTP answer would have had. */
export function formatError(error: GraphQLError): GraphQLFormattedError {
  const formatted = error.toJSON();
  if (formatted.extensions?.['http'] === undefined) return formatted;
  const extensions = Object.entries(formatted.extensions).filter(([name]) => name !== 'http');
  return { ...formatted, extensions: Object.fromEntries(extensions) };
}

/** The same for all errors of a result; undefined when it has none. */
export function formatResult(result: ExecutionResult): FormattedExecutionResult | undefined {
  return result.errors && { ...result, errors: result.errors.map(formatError) };
}
