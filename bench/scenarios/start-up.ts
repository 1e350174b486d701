import { type Case, type Scenario, usualNeeds } from './scenario.ts';

export const startUp: Scenario = {
  name: 'start-up',
  title: 'From the start of the process to the first answered query',
  figure: 'ms',
  better: 'less',
  notes:
    'On one core, as everything here. A has nothing to open; Kineograph opens its store, and migrates a fresh one.',
  cases: (size) => [
    { label: 'fresh', subjects: ['A', 'K'], needs: { tasks: 0 }, measure },
    { label: 'with tasks', subjects: ['A', 'K'], needs: usualNeeds(size), measure },
  ],
};

const measure: Case['measure'] = ({ startMs }) => Promise.resolve({ ms: startMs });
