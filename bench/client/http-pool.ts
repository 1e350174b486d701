import { openHttp, type Answer, type HttpConnection } from './http-connection.ts';

/** Kept-alive connections to one server: as many as requests that wait for an answer at a time. */
export interface HttpPool {
  /** Sends a request; calls `before` when it has a connection. */
  send(request: Buffer, before?: () => void): Promise<Answer>;
  end(): void;
}

/** Servers close what is idle for 5 s; a connection that was idle for so long is not used again. */
const FRESH_MS = 2000;

/** Opens so many connections at once, and more when they are needed. */
export async function openPool(port: number, width = 0): Promise<HttpPool> {
  const open = await Promise.all(Array.from({ length: width }, () => openHttp(port)));
  const idle = open.map((connection) => ({ connection, since: performance.now() }));

  async function take(): Promise<HttpConnection> {
    const { connection: last, since } = idle.pop() ?? { connection: null, since: 0 };
    const isFresh = performance.now() - since < FRESH_MS;
    if (!isFresh) last?.end();
    return last && isFresh ? last : openHttp(port);
  }

  return {
    async send(request, before) {
      const connection = await take();
      before?.();
      const answer = await connection.send(request);
      idle.push({ connection, since: performance.now() });
      return answer;
    },
    end() {
      for (const { connection } of idle) connection.end();
    },
  };
}
