import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDir } from '../kit/gateway.ts';
import { runBuilt, startBuilt } from '../kit/process.ts';

/** What Node writes on a program that ends, when it is told where. */
interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly functionName: string;
      readonly ranges: readonly { readonly count: number }[];
    }[];
  }[];
  readonly 'source-map-cache': Readonly<
    Record<string, { readonly data: { readonly sources: readonly string[] } | null }>
  >;
}

/** The packages, and the folders of src, from which a program that has ended had run something. */
async function usedBy(coverageDir: string): Promise<Set<string>> {
  const [file = ''] = await readdir(coverageDir);
  const coverage = JSON.parse(await readFile(join(coverageDir, file), 'utf8')) as Coverage;
  const ran = coverage.result.flatMap(({ functions, url }) => [
    url,
    ...functions.filter(({ ranges }) => ranges.some(({ count }) => count > 0)).map((fn) => fn.functionName),
  ]);
  const loaded = Object.values(coverage['source-map-cache']).flatMap(({ data }) => data?.sources ?? []);
  // A CommonJS package runs when it is asked for, as a function of its path; everything else when its file is loaded.
  const wrapped = new Set(
    coverage.result.flatMap(({ functions }) => functions.map(({ functionName }) => packageOf(functionName))),
  );
  return new Set([...ran.map(packageOf), ...loaded.map(packageOf).filter((name) => !wrapped.has(name))]);
}

function packageOf(path: string): string {
  return /node_modules\/((?:@[^/]+\/)?[^/]+)\/|\/(src\/[^/]+)\//.exec(path)?.slice(1).join('') ?? '';
}

test('help is shown without loading what the gateway works with', async () => {
  const NODE_V8_COVERAGE = await temporaryDir();
  await runBuilt(['--help'], { NODE_V8_COVERAGE });
  expect([...(await usedBy(NODE_V8_COVERAGE))].toSorted()).toEqual([
    '',
    'commander',
    'src/cli',
    'src/config',
    'src/store',
  ]);
});

test('a start loads nothing that it does without', async () => {
  const NODE_V8_COVERAGE = await temporaryDir();
  const env = { DATA_DIR: await temporaryDir(), KIE_API_KEY: 'test-key', NODE_V8_COVERAGE };
  const gateway = await startBuilt(env);
  await fetch(`${gateway.graphqlUrl}?query={__typename}`);
  gateway.signal('SIGTERM');
  await gateway.exited;

  const used = await usedBy(NODE_V8_COVERAGE);
  for (const name of ['graphql', 'kysely', 'zod', 'src/app']) expect(used).toContain(name);
  for (const name of ['jose', 'pg', 'rate-limiter-flexible', 'src/sandbox']) expect(used).not.toContain(name);
});
