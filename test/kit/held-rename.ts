import { promises } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/**
 * Loaded by the built gateway before itself: the first video that it keeps on disk is held before its rename or right after it, as
 * HOLD says. The gateway logs `held` then, and never goes on with that video.
 */
const { rename } = promises;
promises.rename = async (from, to) => {
  if (process.env['HOLD'] === 'after') await rename(from, to);
  process.stdout.write('{"msg":"held"}\n');
  await new Promise(() => undefined);
};
syncBuiltinESMExports();
