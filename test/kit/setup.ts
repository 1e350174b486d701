import { afterAll, afterEach } from 'vitest';
import { disposeLeftovers, recordFailure, takeWaits } from './waits.ts';

// Registered first, so it runs last: after the hooks of the test file itself.
afterEach(async ({ task }) => {
  const waits = takeWaits();
  if (task.result?.state === 'fail' && waits.length > 0) {
    recordFailure(`When the test failed, it was still waiting for: ${waits.join('; ')}`);
  }
  try {
    await disposeLeftovers();
  } finally {
    // What somebody waits for because of the disposal, the next test does not wait for.
    takeWaits();
  }
});

// Registered first, so it runs last as well.
afterAll(() => disposeLeftovers('file'));
