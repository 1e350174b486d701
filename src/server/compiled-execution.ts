import {
  BREAK,
  Kind,
  OperationTypeNode,
  execute,
  visit,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
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
  /** How many compiled documents are kept. */
  readonly kept: number;
}

/** A usual document takes 2 ms and 100 KB, the largest that is allowed 40 ms and 200 KB: nobody shall make us do much of it. */
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
  const compiled = new Map<DocumentNode, CompiledQuery>();
  let compiledAt = -Infinity;

  function compiledOf({ document, schema }: ExecutionArgs): CompiledQuery | null {
    const known = compiled.get(document);
    if (known) return known;
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
    compiler = await import('graphql-jit');
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
 * One query or subscription. What asks for the schema could be nested without end, and would be as large compiled. And of
 * fields that are left out under a condition the compiler has its own notion, as to their order and to a null.
 */
function isCompilable(document: DocumentNode): boolean {
  const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  let isFit = operations.length === 1;
  const refuse = (): typeof BREAK => {
    isFit = false;
    return BREAK;
  };
  visit(document, {
    OperationDefinition: ({ operation }) => (operation === OperationTypeNode.MUTATION ? refuse() : undefined),
    Directive: refuse,
    Field: ({ name }) => (/^__(?:schema|type)$/.test(name.value) ? refuse() : undefined),
  });
  return isFit;
}
