import { openHttp, type Answer } from './http-connection.ts';

export interface HttpLoad {
  readonly port: number;
  readonly connections: number;
  /** The request to be sent next. */
  readonly request: () => Buffer;
  /** Throws when the answer is not what it should be. */
  readonly check: (answer: Answer) => void;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
}

export interface OpenLoad {
  /** Every connection sends one request after the other, for so long or so often altogether. */
  run(until: { readonly ms?: number; readonly count?: number }): Promise<LoadResult>;
  end(): void;
}

export async function openHttpLoad({ check, connections, port, request }: HttpLoad): Promise<OpenLoad> {
  const open = await Promise.all(Array.from({ length: connections }, () => openHttp(port)));
  return {
    async run({ count = Infinity, ms = Infinity }) {
      const start = performance.now();
      let sent = 0;
      await Promise.all(
        open.map(async (connection) => {
          while (sent < count && performance.now() - start < ms) {
            sent += 1;
            check(await connection.send(request()));
          }
        }),
      );
      return { requests: sent, seconds: (performance.now() - start) / 1000 };
    },
    end() {
      for (const connection of open) connection.end();
    },
  };
}
