/** Runs one of the clients in a browser, chosen by `#client=…`, and shows what it prints. */
const CLIENTS: Readonly<Record<string, () => Promise<unknown>>> = {
  apollo: () => import('./apollo.ts'),
  'graphql-ws': () => import('./graphql-ws.ts'),
  relay: () => import('./relay.ts'),
  sse: () => import('./sse.ts'),
  urql: () => import('./urql.ts'),
};

const output = document.querySelector('output');
const print = (...words: unknown[]): void => output?.append(`${words.join(' ')}\n`);
console.log = print;
addEventListener('hashchange', () => {
  location.reload();
});

const run = CLIENTS[new URLSearchParams(location.hash.slice(1)).get('client') ?? ''];
if (run) run().catch(print);

export {};
