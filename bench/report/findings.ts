import type { Topic } from './topic.ts';

/** What is known of a promise that is not kept, as sentences for the report. */
export interface Finding {
  /** Where the time, or whatever it is, goes: `npm run bench -- --profile` shows it. */
  readonly profile: string;
  /** What was done about it, and what that brought. */
  readonly tried: string;
}

const LATENCY: Finding = {
  profile:
    'A callback that comes while the machine rests takes 0.7 ms to its commit, 1.4 ms for it, and 15 to 18 ms for the writes to 1,000 sockets; the same writes take 5 ms right after others. Half of them is spent in the kernel, as it is for D, which does not commit and looks at no token, signature or owner.',
  tried:
    'Frames that are ready, written past ws, took the processor time of a callback from 27 to 22 ms; a single one is no longer corked. Keeping listeners without asking whether each is still there made no difference that could be told.',
};

/** Shown only while the promise is not kept. */
export const FINDINGS: Readonly<Partial<Record<Topic, Finding>>> = {
  'p50 at 10,000 deliveries/s': LATENCY,
  'p99 at 10,000 deliveries/s': LATENCY,
  'one subscriber for each task': {
    profile:
      'Of a callback writes to sockets take 11 %, collecting garbage 9 %, commits 7 %, statements 6 %, the log 5 %, the HMACs of token and signature 4 %, executing GraphQL 3 %; most of the rest is Node answering HTTP, which alone takes D 110 to 130 µs of the 220 µs that the promise leaves.',
    tried:
      'One connection to SQLite, records kept in memory, callbacks without a web framework, fields read without schemas, frames that are ready, times of checks that share pages of their index, and one line of log in place of two: together they doubled the rate, with queries that were compiled then and are not any more. A larger young generation made no difference that could be told.',
  },
  '`task(id)` over HTTP': {
    profile:
      'Most of the time goes to Node.js, which parses the request and writes the answer. The log and the check of the owner take the rest; B has neither. B compiles its queries; Kineograph executes them with graphql-js, so that no text of a client becomes code.',
    tried:
      'Answering JSON without the layers of Yoga and keeping records in memory more than doubled the rate. Compiled queries were faster by two fifths and were removed: they did not pay for their complexity.',
  },
  'mutation, durable': {
    profile:
      'Statements take 13 %, commits 11 %, calling the provider over a connection of its own about 20 %, collecting garbage 8 %, executing GraphQL 6 %, the log 4 %. The call by itself costs 300 to 400 µs, and all that A does 450 to 700.',
    tried:
      "Node's own client in place of undici's saved some 250 µs; ids in order of time, records kept and fewer commits for what follows from one another brought the rest. Connections that are kept alive would be quicker and are out of the question: one that closes under a call looks like a lost answer, and nobody may send again. Taking the turn in the commit that stores the task was tried and taken back: a kill right after it left a mark without a call.",
  },
  'idle subscription': {
    profile:
      'D takes 9 KB for a socket alone. The rest is what graphql-ws keeps for each socket and operation, the place to catch up from, and what tells whether a client is alive.',
    tried:
      'Heap snapshots of 500 idle subscriptions went from 13.6 to 11.1 KB each: the request of the upgrade was held by a closure beside it, listeners that are called once had wrappers, and there were a hidden class for each operation and a Set for a single id.',
  },
  'start to first answered query': {
    profile:
      'Two thirds of the processor time are Node loading and running the bundle: undici and the schema before all else. With tasks in its store it takes 80 to 120 ms more than with a fresh one.',
    tried: 'Bundling brought a start to a third. Whatever a start does without is loaded when it is needed.',
  },
};
