import type { Writable } from 'node:stream';

/**
 * Lets a command end as usual when whoever reads its output has seen enough, as in `kineograph doctor | head`. Other
 * troubles of an output are handed to `fail`.
 */
export function ignoreClosedOutput(outputs: readonly Writable[], fail: (error: Error) => void): void {
  for (const output of outputs)
    output.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') fail(error);
    });
}
