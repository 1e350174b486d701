import { BENCH_KEY, OTHER_KEY, type GatewayProcess } from './gateway-process.ts';
import { callbackRequest, type KineographTasks } from './kineograph-tasks.ts';
import type { Owner, Subject, SubjectName } from './subject.ts';

/** One gateway, of one process or several, with the tasks that were made for it. */
export function gatewaySubject(
  name: SubjectName,
  gateways: readonly [GatewayProcess, ...GatewayProcess[]],
  { from, paths, strangers, tasks, to }: KineographTasks,
): Subject {
  return {
    name,
    startMs: gateways[0].startMs,
    ports: gateways.map(({ port }) => port),
    pids: gateways.map(({ child }) => child.pid),
    ...whoCalls(BENCH_KEY),
    tasks,
    after: (subscriber) => from + (subscriber % (to - from + 1)),
    stranger: { ...whoCalls(OTHER_KEY), tasks: strangers, after: () => to },
    callback: ({ number }, move, videoUrl) =>
      callbackRequest(paths.get(number) ?? '', number, move, videoUrl),
    stop: async () => {
      await Promise.all(gateways.map((gateway) => gateway.stop()));
    },
  };
}

function whoCalls(key: string): Pick<Owner, 'headers' | 'init'> {
  return { init: { authorization: `Bearer ${key}` }, headers: { authorization: `Bearer ${key}` } };
}
