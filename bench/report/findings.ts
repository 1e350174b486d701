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
    'Half of the time is the write to each socket, in the kernel, as it is for D; before the first one comes what D does not do: a commit of about 1 ms, and the look at token, signature and owner.',
  tried:
    'Frames that are ready, written past ws, took the processor time of a callback from 27 to 22 ms; writing once for all that a socket gets in one go helps only where it gets several.',
};

/** Shown only while the promise is not kept. */
export const FINDINGS: Readonly<Partial<Record<Topic, Finding>>> = {
  'p50 at 10,000 deliveries/s': LATENCY,
  'p99 at 10,000 deliveries/s': LATENCY,
  'one subscriber for each task': {
    profile:
      'Of a callback collecting garbage takes 14 %, commits 13 %, writes to sockets 8 %, statements 6 %, the HMACs of token and signature 5 %, executing GraphQL 5 %; most of the rest is Node answering HTTP, which alone takes D 110 to 130 µs of the 220 µs that the promise leaves.',
    tried:
      'One connection to SQLite, records kept in memory, callbacks past Fastify, fields read without schemas, frames that are ready, and times of checks that share pages of their index: together they doubled the rate. A larger young generation made no difference that could be told.',
  },
  '`task(id)` over HTTP': {
    profile:
      'Executing takes 17 %, the write of the answer 15 %, the line of the log 7 %; parsing, validating and all limits come from caches. B compiles a query to a function, keeps no log here, and looks at no owner.',
    tried:
      'Answering usual posts past Fastify and past the layers of the engine, and keeping records, more than doubled the rate. Compiling would save most of the 17 %; the compiler that B uses (graphql-jit) brings a second copy of graphql into the build, so it is left out until that is solved.',
  },
  'mutation, durable': {
    profile:
      'Commits take 18 %, statements 13 %, calling the provider over a connection of its own about 17 %, collecting garbage 9 %, the log 4 %. The call by itself costs 300 to 400 µs, and all that A does 450 to 700.',
    tried:
      "Node's own client in place of undici's saved some 250 µs; ids in order of time, records kept and fewer commits for what follows from one another brought the rest. Connections that are kept alive would be quicker and are out of the question: one that closes under a call looks like a lost answer, and nobody may send again. Taking the turn in the commit that stores the task was tried and taken back: a kill right after it left a mark without a call.",
  },
  'idle subscription': {
    profile:
      'D takes 9 KB for a socket alone. The rest is what graphql-ws keeps for each socket and operation, the place to catch up from, and what tells whether a client is alive.',
    tried: 'Nothing yet beyond leaving out iterators and the request of the upgrade.',
  },
};
