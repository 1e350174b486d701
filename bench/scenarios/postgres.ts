import { measureFanOut } from './fan-out.ts';
import type { SubjectName } from '../subjects/subject.ts';
import type { Scenario } from './scenario.ts';

const ON_POSTGRES: readonly SubjectName[] = ['K, PostgreSQL', 'K, PostgreSQL, 2 replicas'];

export const postgres: Scenario = {
  name: 'postgres',
  title: 'Fan-out on PostgreSQL',
  figure: 'deliveries/s',
  better: 'more',
  notes:
    'As above, with a PostgreSQL of this machine (`fsync=on`) that shares the core of the client. Two replicas share the one core of the server, and each has half of the subscribers; all callbacks go to the first. So the second one shows what following costs, not what another machine would bring.',
  cases: ({ isQuick }) => {
    const subscribers = isQuick ? 500 : 1000;
    return [
      {
        label: `${subscribers.toLocaleString('en')} subscribers`,
        subjects: isQuick ? ON_POSTGRES : ['K', ...ON_POSTGRES],
        // Changes are dearer there.
        needs: { tasks: 150, strangers: isQuick ? 300 : 1500, revisions: subscribers },
        measure: (subject) => measureFanOut(subject, subscribers, isQuick ? 40 : 120),
      },
    ];
  },
};
