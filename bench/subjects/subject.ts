/** A task that waits to be moved. */
export interface TaskRef {
  /** Also in its name at the provider. */
  readonly number: number;
  readonly id: string;
}

export type Move = 'waiting' | 'queuing' | 'generating' | 'success';

/** From WAITING to the end. */
export const MOVES: readonly Move[] = ['queuing', 'generating', 'success'];

/** Who calls, and what is his. Peers know no owners: to them all are one. */
export interface Owner {
  /** Payload of connection_init, and headers of requests: who calls. */
  readonly init: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** Tasks in state WAITING, in order of number. */
  readonly tasks: readonly TaskRef[];
  /** A revision that the subscriber with this number has seen, with nothing newer to catch up on. */
  after(subscriber: number): number;
}

/** What is measured: one server, or several that are one gateway; as its usual caller sees it. */
export interface Subject extends Owner {
  readonly name: SubjectName;
  /** From its start to the first answered query. */
  readonly startMs: number;
  /** Where its processes listen: subscribers take turns, requests go to the first. */
  readonly ports: readonly number[];
  readonly pids: readonly number[];
  /** Somebody else, whose changes leave the usual caller nothing to catch up on. */
  readonly stranger: Owner;
  /** The whole request that moves a task, whoever has it; `videoUrl` replaces that of its result. */
  callback(task: TaskRef, move: Move, videoUrl?: string): Buffer;
  stop(): Promise<void>;
}

export type SubjectName = 'A' | 'B' | 'C' | 'D' | 'K' | 'K, PostgreSQL' | 'K, PostgreSQL, 2 replicas';

export const TITLES: Readonly<Record<SubjectName, string>> = {
  A: 'Yoga + Pothos + graphql-ws',
  B: 'Mercurius with JIT',
  C: 'Apollo Server + graphql-ws',
  D: 'raw `ws` and `node:http`, no GraphQL',
  K: 'Kineograph, embedded store',
  'K, PostgreSQL': 'Kineograph on PostgreSQL, one replica',
  'K, PostgreSQL, 2 replicas': 'Kineograph on PostgreSQL, two replicas',
};

/** What a scenario needs of a subject before it begins. */
export interface Needs {
  /** How many tasks in state WAITING. */
  readonly tasks: number;
  /** How many more of a stranger's; none when not given. */
  readonly strangers?: number;
  /** How many values of `after` subscribers can begin at; as many as for everybody when not given. */
  readonly revisions?: number;
  /** Whether it copies videos; no subject does unless told so. */
  readonly copies?: boolean;
  /** A prompt in place of the usual one. */
  readonly prompt?: string;
}
