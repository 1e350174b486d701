import {
  createSourceEventStream,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLError,
} from 'graphql';
import { isFollowable, createGroup, type Group, createResults, sharedVariables } from './group.ts';
import type { LiveCounts } from './socket.ts';
import { Subscriber } from './subscriber.ts';
import type { SendBudget } from './send-buffer.ts';

/** How much memory kept results may take, in bytes: some ten thousand usual ones. */
const MAX_KEPT = 8 * 1024 * 1024;

interface HubOptions {
  /** Everything of a caller that a result can depend on, as text. */
  readonly rightsOf: (contextValue: unknown) => string;
  /** What a client is told of an error. */
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
  /** Begins one. Its events go to its outlet; the returned iterable only ends. A result instead of it tells why not. */
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
      return new Subscriber({ id, outlet, source, group, counts, maskError, onEnd: leave });
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
