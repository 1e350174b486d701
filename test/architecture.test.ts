import { readFileSync, readdirSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

interface Rule {
  /** Folders of src, and files or single exports (`file.ts#name`) in them, of which everything may be imported. */
  readonly values?: readonly string[];
  /** The same for what is there for the compiler only. */
  readonly types?: readonly string[];
  /** Whether packages of npm may be imported. */
  readonly npm?: boolean;
}

const EVERYTHING = 'everything';

/**
 * Who may import whom, beside Node's built-in modules and their own folder. A file at the root of src belongs to the
 * folder of its name. Changed only together with ARCHITECTURE.md.
 */
const TABLE: Readonly<Record<string, Rule | typeof EVERYTHING>> = {
  main: EVERYTHING,
  app: EVERYTHING,
  cli: EVERYTHING,
  version: {},
  url: {},
  models: {},
  config: { values: ['models'], npm: true },
  log: { npm: true },
  limits: { npm: true },
  auth: { npm: true },
  tasks: { values: ['models', 'url'] },
  archive: { values: ['images/safe-fetch.ts', 'images/temp-file.ts', 'tasks', 'url'], npm: true },
  images: { values: ['limits/concurrency.ts', 'limits/places.ts', 'models', 'tasks'], npm: true },
  providers: { values: ['log/scrub.ts', 'models', 'tasks', 'url'], npm: true },
  store: {
    values: ['archive/archive-store.ts#objectOf', 'models', 'tasks'],
    types: ['archive', 'images'],
    npm: true,
  },
  webhooks: {
    values: ['tasks', 'http/problem.ts', 'http/body.ts', 'limits/refusal.ts'],
  },
  resolvers: { values: ['tasks'], types: ['models'] },
  schema: {
    values: [
      'models',
      'resolvers',
      'tasks/failure.ts#RequestError',
      'tasks/failure.ts#isRetryable',
      'tasks/list.ts#cursorOf',
      'tasks/failure.ts#PROVIDER_ERROR_CODES',
    ],
    types: ['tasks'],
    npm: true,
  },
  engine: {
    values: ['auth', 'tasks/failure.ts#RequestError', 'tasks/store.ts#StoreUnavailableError'],
    types: ['limits', 'tasks'],
    npm: true,
  },
  http: {
    values: ['auth', 'config', 'engine', 'images/image.ts', 'limits', 'models', 'url'],
    types: ['images'],
    npm: true,
  },
  websocket: {
    values: ['auth', 'engine/request-params.ts', 'http/problem.ts', 'limits'],
    types: ['http'],
    npm: true,
  },
  sandbox: { values: ['url'], npm: true },
  metrics: {
    values: ['archive/copier.ts#COPY_OUTCOMES', 'models', 'tasks'],
    types: ['archive', 'providers', 'store', 'images', 'webhooks', 'websocket'],
    npm: true,
  },
};

const SRC = fileURLToPath(new URL('../src', import.meta.url));
const MAX_LINES = 400;

/** One thing that a file takes from elsewhere; `name` is null for a whole module. */
interface Import {
  readonly from: string;
  readonly name: string | null;
  readonly isType: boolean;
}

interface SourceFile {
  /** Below src, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

/** Every file of src. */
const FILES = readdirSync(SRC, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) =>
    join(entry.parentPath, entry.name)
      .slice(SRC.length + 1)
      .replaceAll('\\', '/'),
  );

const MODULES = FILES.filter((path) => path.endsWith('.ts')).map((path) =>
  parse(path, readFileSync(join(SRC, path), 'utf8')),
);

function parse(path: string, text: string): SourceFile {
  return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) };
}

/** Every node of a syntax tree. */
function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  for (const child of node.getChildren()) yield* nodesOf(child);
}

function importsOf({ tree }: SourceFile): Import[] {
  return [...nodesOf(tree)].flatMap((node): Import[] => {
    if (ts.isImportDeclaration(node)) return namesOf(textOf(node.moduleSpecifier), node.importClause);
    if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      const { exportClause, isTypeOnly, moduleSpecifier } = node;
      return listed(textOf(moduleSpecifier), exportClause, isTypeOnly);
    }
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      return [{ from: textOf(node.argument.literal), name: null, isType: true }];
    const isDynamic = ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword;
    return isDynamic ? [{ from: textOf(node.arguments[0]), name: null, isType: false }] : [];
  });
}

function namesOf(from: string, clause: ts.ImportClause | undefined): Import[] {
  const isType = clause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
  if (clause?.name)
    return [{ from, name: 'default', isType }, ...listed(from, clause.namedBindings, isType, [])];
  return listed(from, clause?.namedBindings, isType);
}

/** The names in braces; a star, or nothing at all, stands for the whole module. */
function listed(
  from: string,
  bindings: ts.NamedImportBindings | ts.NamedExportBindings | undefined,
  isType: boolean,
  otherwise: Import[] = [{ from, name: null, isType }],
): Import[] {
  const isList = bindings && (ts.isNamedImports(bindings) || ts.isNamedExports(bindings));
  if (!isList || bindings.elements.length === 0) return otherwise;
  return bindings.elements.map((element) => ({
    from,
    name: (element.propertyName ?? element.name).text,
    isType: isType || element.isTypeOnly,
  }));
}

/** The files of src that a file imports. */
function targetsOf(file: SourceFile): Set<string> {
  const local = importsOf(file).filter(({ from }) => from.startsWith('.'));
  return new Set(local.map(({ from }) => posix.join(dirname(file.path), from)));
}

/** One cycle in a graph; null when there is none. */
function cycleIn(graph: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] | null {
  const done = new Set<string>();
  const visit = (node: string, way: readonly string[]): readonly string[] | null => {
    if (way.includes(node)) return [...way.slice(way.indexOf(node)), node];
    if (done.has(node)) return null;
    for (const next of graph.get(node) ?? []) {
      const cycle = visit(next, [...way, node]);
      if (cycle) return cycle;
    }
    done.add(node);
    return null;
  };
  for (const node of graph.keys()) {
    const cycle = visit(node, []);
    if (cycle) return cycle;
  }
  return null;
}

function textOf(node: ts.Node | undefined): string {
  return node && ts.isStringLiteralLike(node) ? node.text : 'something that is known only when it runs';
}

function folderOf(path: string): string {
  return path.includes('/') ? (path.split('/')[0] ?? '') : path.replace(/\.ts$/, '');
}

function isAllowed(path: string, { from, isType, name }: Import): boolean {
  const folder = folderOf(path);
  const rule = TABLE[folder];
  if (rule === undefined) return false;
  if (rule === EVERYTHING || from.startsWith('node:')) return true;
  if (!from.startsWith('.')) return rule.npm === true && !builtinModules.includes(from);
  const target = posix.join(dirname(path), from);
  const names = [folderOf(target), target, `${target}#${name ?? '*'}`];
  if (names[0] === folder) return true;
  const allowed = [...(rule.values ?? []), ...(isType ? (rule.types ?? []) : [])];
  return names.some((one) => allowed.includes(one));
}

function violationsOf(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    importsOf(file)
      .filter((one) => !isAllowed(file.path, one))
      .map(({ from, name, isType }) => {
        const what = name === null ? from : `${isType ? 'type ' : ''}${name} of ${from}`;
        return `${file.path} imports ${what}: not allowed`;
      }),
  );
}

/** Whether a file takes `env` or `argv` of the process by any road. */
function touchesProcess(file: SourceFile): boolean {
  const isMember = (node: ts.Node): boolean =>
    (ts.isPropertyAccessExpression(node) && /^process\??\.(env|argv)$/.test(node.getText())) ||
    (ts.isElementAccessExpression(node) && node.expression.getText() === 'process') ||
    (ts.isVariableDeclaration(node) && node.initializer?.getText() === 'process');
  const isImported = importsOf(file).some(
    ({ from, name }) =>
      /^(node:)?process$/.test(from) && (name === null || /^(env|argv|default)$/.test(name)),
  );
  return isImported || [...nodesOf(file.tree)].some(isMember);
}

/** Files that parse as a URL what only the operator writes, or nobody. */
const PARSES_OWN_URLS = [
  'auth/jwt.ts',
  'cli/doctor/callbacks.ts',
  'cli/doctor/settings.ts',
  'cli/program.ts',
  'cli/serve.ts',
  'config/kinds.ts',
  'providers/http.ts',
  'providers/proxy.ts',
  'store/connections.ts',
  'url.ts',
  'version.ts',
];

/** Whether a file has Node parse a text as a URL, of whatever length it is. */
function parsesUrls({ tree }: SourceFile): boolean {
  return [...nodesOf(tree)].some(
    (node) =>
      (ts.isNewExpression(node) && node.expression.getText() === 'URL') ||
      (ts.isPropertyAccessExpression(node) && /^URL\.(canParse|parse)$/.test(node.getText())),
  );
}

function exportsDefault({ tree }: SourceFile): boolean {
  return [...nodesOf(tree)].some(
    (node) =>
      ts.isExportAssignment(node) ||
      (node.kind === ts.SyntaxKind.DefaultKeyword && ts.isSourceFile(node.parent.parent)) ||
      (ts.isExportSpecifier(node) && node.name.text === 'default'),
  );
}

describe('the source', () => {
  it('follows the table of who may import whom', () => {
    expect(violationsOf(MODULES)).toEqual([]);
  });

  it('has no folder that is missing in that table, nor the table one that is gone', () => {
    expect([...new Set(MODULES.map(({ path }) => folderOf(path)))].sort()).toEqual(Object.keys(TABLE).sort());
  });

  it(`has no file of more than ${MAX_LINES} lines`, () => {
    const long = MODULES.filter(({ text }) => text.trimEnd().split('\n').length > MAX_LINES);
    expect(long.map(({ path }) => path)).toEqual([]);
  });

  it('is TypeScript and nothing else, with names in kebab-case', () => {
    expect(FILES.filter((path) => !/^(?:[a-z\d-]+\/)*[a-z\d]+(-[a-z\d]+)*\.ts$/.test(path))).toEqual([]);
  });

  it('has no cycles, neither between files nor between folders', () => {
    const files = new Map(MODULES.map(({ path, ...rest }) => [path, targetsOf({ path, ...rest })] as const));
    const folders = new Map<string, Set<string>>();
    for (const [path, targets] of files)
      for (const target of targets)
        if (folderOf(target) !== folderOf(path))
          folders.set(folderOf(path), (folders.get(folderOf(path)) ?? new Set()).add(folderOf(target)));
    expect([cycleIn(files), cycleIn(folders)]).toEqual([null, null]);
  });

  it('has no default exports', () => {
    expect(MODULES.filter(exportsDefault).map(({ path }) => path)).toEqual([]);
  });

  it('reads the environment and the command line in main.ts only', () => {
    expect(MODULES.filter(touchesProcess).map(({ path }) => path)).toEqual(['main.ts']);
  });

  it('parses URLs from outside with parseUrl only, which bounds their length', () => {
    const files = MODULES.filter(parsesUrls).map(({ path }) => path);
    expect(files.sort()).toEqual(PARSES_OWN_URLS);
  });
});

describe('the rules above', () => {
  const violations = (path: string, text: string) => violationsOf([parse(path, text)]);

  it.each([
    ['tasks/a.ts', `import type { Kysely } from 'kysely';`, 'type Kysely of kysely'],
    ['tasks/a.ts', `import 'fs';`, 'fs'],
    ['tasks/a.ts', `import {} from 'zod';`, 'zod'],
    ['tasks/a.ts', `export { a } from '../config/config.ts';`, 'a of ../config/config.ts'],
    ['tasks/a.ts', `export * from '../store/b.ts';`, '../store/b.ts'],
    ['tasks/a.ts', `const a = await import('../store/b.ts');`, '../store/b.ts'],
    ['tasks/a.ts', `let a: import('../store/b.ts').B;`, '../store/b.ts'],
    ['tasks/deep/a.ts', `import { a } from '../../app/create-app.ts';`, 'a of ../../app/create-app.ts'],
    ['tasks/a.ts', `await import(name);`, 'something that is known only when it runs'],
    [
      'schema/a.ts',
      `import { type A, createTask as B } from '../tasks/b.ts';`,
      'createTask of ../tasks/b.ts',
    ],
    ['schema/a.ts', `import * as a from '../tasks/list.ts';`, '../tasks/list.ts'],
    ['store/a.ts', `import { b } from '../images/b.ts';`, 'b of ../images/b.ts'],
    ['websocket/a.ts', `import type { Task } from '../tasks/task.ts';`, 'type Task of ../tasks/task.ts'],
    ['webhooks/a.ts', `import { a } from '../providers/kie/client.ts';`, 'a of ../providers/kie/client.ts'],
    ['models/a.ts', `import type { A } from '../tasks/a.ts';`, 'type A of ../tasks/a.ts'],
    ['sandbox/a.ts', `import { MODELS } from '../models/index.ts';`, 'MODELS of ../models/index.ts'],
    ['elsewhere/a.ts', `import 'node:fs';`, 'node:fs'],
  ])('forbid %s to say %s', (path, text, what) => {
    expect(violations(path, text)).toEqual([`${path} imports ${what}: not allowed`]);
  });

  it.each([
    ['tasks/a.ts', `import { a } from './b.ts'; import 'node:fs'; export { c } from './d/e.ts';`],
    ['schema/a.ts', `import { cursorOf, type TaskPage } from '../tasks/list.ts';`],
    ['schema/a.ts', `import type { Task } from '../tasks/task.ts'; export type { A } from '../tasks/b.ts';`],
    [
      'http/a.ts',
      `import type { A } from '../images/b.ts'; import { c } from '../config/d.ts'; import 'pino';`,
    ],
    ['app/a.ts', `import { a } from '../store/b.ts';`],
  ])('allow %s to say %s', (path, text) => {
    expect(violations(path, text)).toEqual([]);
  });

  it.each([
    `const a = process.env['A'];`,
    `const { argv } = process;`,
    `process['env'];`,
    `import { env } from 'node:process';`,
    `import process from 'process';`,
  ])('notice that a file touches the process: %s', (text) => {
    expect(touchesProcess(parse('a.ts', text))).toBe(true);
    expect(touchesProcess(parse('a.ts', `process.exit(); const env = {}; // process.env`))).toBe(false);
  });

  it('notice a default export', () => {
    for (const text of ['export default 1;', 'export default function a() {}', 'export { a as default };'])
      expect(exportsDefault(parse('a.ts', text))).toBe(true);
    expect(exportsDefault(parse('a.ts', 'switch (a) { default: }'))).toBe(false);
  });
});
