import { ServerResponse } from 'node:http';
import { expect, test, vi } from 'vitest';
import type { TaskPorts } from '../../src/tasks/ports.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';
import { onTestEnd } from '../kit/waits.ts';
import { openSse } from '../kit/sse.ts';
import { addTask } from './stored-tasks.ts';

/** Notes in which turn of the event loop each event of a stream is written. */
function watchTurns(): readonly number[] {
  const turns: number[] = [];
  let turn = 0;
  let immediate = setImmediate(function next() {
    turn += 1;
    immediate = setImmediate(next);
  });
  const { write } = ServerResponse.prototype;
  const spy = vi.spyOn(ServerResponse.prototype, 'write').mockImplementation(function (
    this: ServerResponse,
    ...args: unknown[]
  ) {
    if (String(args[0]).length > 100) turns.push(turn);
    return Reflect.apply(write, this, args) as boolean;
  });
  onTestEnd(() => {
    clearImmediate(immediate);
    spy.mockRestore();
  });
  return turns;
}

test('event streams that share nothing are told of a change in slices, with others in between', async () => {
  let ports: TaskPorts | undefined;
  const wrap = (made: TaskPorts): TaskPorts => (ports = made);
  const provider = await startFakeProvider();
  const { graphqlUrl } = await startGateway({ provider, overrides: { wrap } });
  if (!ports) throw new Error('The gateway did not wrap its ports');
  const streams = await Promise.all(
    Array.from({ length: 200 }, (_, index) => {
      const fields = Array.from({ length: 12 }, (__, n) => `s${index}x${n}: timeline { state at source }`);
      return openSse(graphqlUrl, { query: `subscription { tasksUpdated { id ${fields.join(' ')} } }` });
    }),
  );
  const turns = watchTurns();
  await addTask(ports.store);
  await Promise.all(streams.map((stream) => stream.data()));
  expect(turns).toHaveLength(streams.length);
  const most = Math.max(...turns.map((turn) => turns.filter((other) => other === turn).length));
  expect(most).toBeLessThan(streams.length / 2);
});
