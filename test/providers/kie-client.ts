import { createKie, type KieOptions } from '../../src/providers/kie/client.ts';
import type { Provider } from '../../src/tasks/provider.ts';
import type { TaskInput } from '../../src/tasks/task.ts';
import { DEFAULT_TIMINGS } from '../../src/tasks/timings.ts';
import { DEFAULT_MODEL, withDefaults } from '../../src/models/index.ts';
import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { onTestEnd } from '../kit/waits.ts';

export const INPUT: TaskInput = {
  model: DEFAULT_MODEL.name,
  prompt: 'slow push-in, snow falling',
  imageUrl: 'https://files.example/first.png',
  endImageUrl: null,
  promptOptimizer: null,
  options: withDefaults(DEFAULT_MODEL),
};

const silent = (): void => undefined;

/** The client alone, closed at the end of the test. */
export function createClient(apiUrl: string, options: Partial<KieOptions> = {}): Provider {
  const kie = createKie({
    apiUrl,
    apiKey: 'test-key',
    uploads: { url: apiUrl },
    hmacKeys: [],
    limits: DEFAULT_TIMINGS,
    userAgent: 'kineograph/test',
    createTimeoutMs: 5000,
    queryTimeoutMs: 5000,
    log: { debug: silent, info: silent, warn: silent, error: silent },
    ...options,
  });
  onTestEnd(() => kie.close());
  return kie;
}

/** The client, and a provider that says what the test wants. */
export async function startClient(
  options: Partial<KieOptions> = {},
): Promise<{ readonly kie: Provider; readonly provider: FakeProvider }> {
  const provider = await startFakeProvider();
  return { provider, kie: createClient(provider.url, options) };
}
