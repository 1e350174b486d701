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
    modulePreload: { polyfill: false },
    target: 'es2022',
    // The first with light-dark(), which is written as it stands.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
  },
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
