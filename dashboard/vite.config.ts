import { join } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  build: {
    outDir: '../dist/dashboard',
    emptyOutDir: true,
    // Every file has a URL of its own, so that nothing has to be allowed inline.
    assetsInlineLimit: 0,
    // Two pages: who looks at one loads nothing of the other.
    rolldownOptions: {
      input: ['index.html', 'graphiql.html'].map((page) => join(import.meta.dirname, page)),
      // GraphiQL is compiled already; what it tells its compiler means nothing any more.
      checks: { moduleLevelDirective: false },
    },
    modulePreload: { polyfill: false },
    // In kB: the editor of GraphiQL is one piece.
    chunkSizeWarningLimit: 3000,
    target: 'es2022',
    // The first with light-dark(), which is written as it stands.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
  },
  // It imports workers in Vite's own way, which nothing else knows.
  optimizeDeps: { exclude: ['graphiql/setup-workers/vite', '@graphiql/react/setup-workers/vite'] },
  // `npm run dev` serves the API; `npx vite dashboard` the page beside it.
  server: {
    proxy: Object.fromEntries(
      ['/graphql', '/uploads', '/sandbox'].map((path) => [
        path,
        { target: 'http://127.0.0.1:4000', ws: true },
      ]),
    ),
  },
});
