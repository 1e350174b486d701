import {
  BREAK,
  Kind,
  OperationTypeNode,
  execute,
  visit,
  type ASTNode,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type NameNode,
} from 'graphql';
import type { CompiledQuery, compileQuery, isCompiledQuery } from 'graphql-jit';
import { isDataAlone } from './is-data-alone.ts';

/** Executes an operation as graphql-js does; what needs no promise comes without one. */
export type Execute = (args: ExecutionArgs) => ExecutionResult | Promise<ExecutionResult>;

/** What compiles documents. */
export interface Compiler {
  readonly compileQuery: typeof compileQuery;
  readonly isCompiledQuery: typeof isCompiledQuery;
}

/** What compiling may cost. */
export interface CompilationLimits {
  /** How often a document is executed before it is worth it. */
  readonly uses: number;
  /** How long no other document is compiled after one, in ms. */
  readonly pauseMs: number;
  /** How many compiled documents are kept: those that came last. */
  readonly kept: number;
}

/** A usual document takes 2 ms and 100 KB, one of fourteen lists up to 40 ms and 200 KB: nobody shall make us do much of it. */
const LIMITS: CompilationLimits = { uses: 10, pauseMs: 1000, kept: 50 };

/**
 * Executes queries, and the selections of subscriptions on their events. Documents that come again and again are compiled to
 * functions. Only a result of nothing but data is taken from those; with everything else graphql-js begins anew and tells what
 * it is in its own words. Mutations, which would be carried out twice, are never compiled. The compiler is loaded when the
 * first document is worth it, unless it is given.
 */
export function createCompiledExecution(limits = LIMITS, given: Compiler | null = null): Execute {
  let compiler = given;
  let loading: Promise<void> | null = null;
  const uses = new WeakMap<DocumentNode, number>();
  /** The one that has not come for longest is the first. */
  const compiled = new Map<DocumentNode, CompiledQuery>();
  let compiledAt = -Infinity;

  function compiledOf({ document, schema }: ExecutionArgs): CompiledQuery | null {
    const known = compiled.get(document);
    if (known) {
      compiled.delete(document);
      compiled.set(document, known);
      return known;
    }
    const count = (uses.get(document) ?? 0) + 1;
    uses.set(document, count);
    if (count < limits.uses || performance.now() - compiledAt < limits.pauseMs) return null;
    if (!compiler) {
      loading ??= load();
      return null;
    }
    const query = isCompilable(document) ? compiler.compileQuery(schema, document) : null;
    compiledAt = performance.now();
    if (!query || !compiler.isCompiledQuery(query)) {
      uses.set(document, -Infinity);
      return null;
    }
    keep(document, query);
    return query;
  }

  async function load(): Promise<void> {
    try {
      compiler = await import('graphql-jit');
    } catch {
      // As when its file was replaced by a newer version's: all goes on without it.
    }
  }

  function keep(document: DocumentNode, query: CompiledQuery): void {
    compiled.set(document, query);
    const [oldest] = compiled.keys();
    if (compiled.size <= limits.kept || !oldest) return;
    compiled.delete(oldest);
    uses.delete(oldest);
  }

  return (args) => {
    const query = compiledOf(args);
    if (!query) return execute(args);
    const result = run(query, args);
    if (!(result instanceof Promise)) return result && isDataAlone(result) ? result : execute(args);
    return result.then(
      (later) => (isDataAlone(later) ? later : execute(args)),
      () => execute(args),
    );
  };
}

function run(query: CompiledQuery, { contextValue, rootValue, variableValues }: ExecutionArgs) {
  try {
    return query.query(rootValue, contextValue, variableValues ?? {});
  } catch {
    return null;
  }
}

/**
 * What a document may consist of. The compiler makes source text of what it is given: of a string that stands in a document it
 * makes any code that its sender likes, and of fragments within fragments more than there is memory for. So there are names,
 * which the grammar keeps harmless, variables, whose values never become text, and the few literals that cannot say much.
 * Of conditions and lists it has its own notion, as to the order of fields and to nulls.
 */
const HARMLESS: ReadonlySet<Kind> = new Set([
  Kind.DOCUMENT,
  Kind.OPERATION_DEFINITION,
  Kind.VARIABLE_DEFINITION,
  Kind.VARIABLE,
  Kind.NAMED_TYPE,
  Kind.LIST_TYPE,
  Kind.NON_NULL_TYPE,
  Kind.SELECTION_SET,
  Kind.FIELD,
  Kind.ARGUMENT,
  Kind.NAME,
  Kind.INT,
  Kind.BOOLEAN,
  Kind.ENUM,
]);

/** One query or subscription of harmless parts, which asks for nothing of the schema. */
function isCompilable(document: DocumentNode): boolean {
  if (document.definitions.length !== 1) return false;
  let isFit = true;
  visit(document, {
    enter(node) {
      if (HARMLESS.has(node.kind) && !isMutation(node) && !(node.kind === Kind.NAME && isSpecial(node)))
        return undefined;
      isFit = false;
      return BREAK;
    },
  });
  return isFit;
}

function isMutation(node: ASTNode): boolean {
  return node.kind === Kind.OPERATION_DEFINITION && node.operation === OperationTypeNode.MUTATION;
}

/** `__proto__` as a member would be something else in source text. */
function isSpecial({ value }: NameNode): boolean {
  return value.startsWith('__') && value !== '__typename';
}
