import type { IncomingMessage } from 'node:http';

/** The body of a request, whose shape the benchmark vouches for. */
export function readJson(request: IncomingMessage, use: (body: unknown) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    use(JSON.parse(Buffer.concat(chunks).toString()));
  });
}
