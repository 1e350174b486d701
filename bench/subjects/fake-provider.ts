import { CLIENT_CORE, portOf, startNode, type Child } from '../support/processes.ts';

export interface Callable extends Readonly<Record<'number', number>> {
  /** The path to which its callbacks go. */
  readonly callback: string;
}

/** The provider of all gateways of a run, in a process of its own. */
export interface FakeProvider {
  readonly url: string;
  /** What it has taken since it was asked last, by our id. */
  take(): Map<string, Callable>;
  stop(): Promise<void>;
}

export async function startFakeProvider(): Promise<FakeProvider> {
  const child: Child = startNode(['bench/dist/provider.js'], { core: CLIENT_CORE });
  let taken = new Map<string, Callable>();
  const port = await portOf(child, 'the fake provider');
  child.process.on('message', (message: Callable) => {
    const [, , , id = ''] = message.callback.split('/');
    taken.set(id, message);
  });
  return {
    url: `http://127.0.0.1:${port}`,
    take() {
      const all = taken;
      taken = new Map();
      return all;
    },
    stop: () => child.kill(),
  };
}
