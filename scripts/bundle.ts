import type { BuildOptions } from 'esbuild';

/** How sources are bundled with their packages. */
export const BUNDLE = {
  bundle: true,
  // What is imported when it is needed stays in files of its own.
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  // esbuild would choose its CommonJS twin, whose functions are reached through getters; and there may be one copy only.
  alias: { graphql: 'graphql/index.mjs' },
  // graphql-js checks each value against other copies of itself unless this is set.
  define: { 'process.env.NODE_ENV': '"production"' },
  // CommonJS packages load Node's modules by it.
  banner: {
    js: "import { createRequire as createRequireHere } from 'node:module';\nconst require = createRequireHere(import.meta.url);",
  },
  logLevel: 'warning',
} as const satisfies BuildOptions;
