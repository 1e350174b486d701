import {
  execute,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLError,
  Kind,
  OperationTypeNode,
  visit,
  type ASTNode,
  type DocumentNode,
} from 'graphql';
import { formatResult } from './errors.ts';

/** Subscriptions whose results can only come out the same: what one of them needs is made once for all. */
export interface Group {
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
 * store would be told to latecomers as it was. And no two changes may have the same revision.
 */
export function createGroup({ args, maskError, results }: GroupOptions): Group {
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
      // It may come out well the next time. Those who are told of the change in one go share it; setImmediate would be too
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
export function sharedVariables(document: DocumentNode): readonly string[] {
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
export interface Results {
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
export function createResults(maxBytes: number): Results {
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

/** A committed change, of which the live side knows nothing but its place in the order of all changes. */
export interface Change {
  readonly revision: number;
}

/** Where a subscription's changes go; see `Followable`. */
export interface ChangeSink {
  take(change: Change): void;
  flush(): void;
  isFull(): boolean;
  end(): void;
  fail(error: unknown): void;
}

/**
 * A subscription that was let in. It calls `take` for each change, `flush` after the last one that there is, and `end`
 * or `fail` at last. A sink that says it is full gets nothing until it calls `resume`, and then all that counts by then.
 */
export interface Followable {
  follow(sink: ChangeSink): { resume(): void; stop(): void };
}

export function isFollowable(value: object): value is Followable {
  return 'follow' in value && typeof value.follow === 'function';
}
