export interface Expected {
  readonly subscribers: number;
  /** Numbers of the tasks that count; of others nothing is expected. */
  readonly tasks: readonly number[];
  /** How many subscribers are to get each task. */
  readonly perTask: number;
  /** The first letter of the state that counts. */
  readonly state: number;
}

/** Who got what: each subscriber each task once, or somebody hears of it. */
export interface Deliveries {
  note(subscriber: number, task: number, state: number): void;
  /** The task's callback leaves now. */
  sent(task: number): void;
  /** Fulfilled when everybody got it. */
  delivered(task: number): Promise<void>;
  /** Whether everybody got it already. */
  has(task: number): boolean;
  /** How many, and how many came twice. */
  readonly total: number;
  readonly duplicates: number;
  /** From the callback to each delivery, in ms, ascending. */
  latencies(): Float64Array;
  /** From the callback to the last delivery of each task, in ms, in order of tasks. */
  lastHops(): number[];
  /** "3 of 10 deliveries", for whoever gives up. */
  describe(): string;
}

export function createDeliveries({
  perTask,
  state: expectedState,
  subscribers,
  tasks,
}: Expected): Deliveries {
  const placeOf = new Map(tasks.map((number, place) => [number, place]));
  const seen = new Uint8Array(subscribers * tasks.length);
  const counts = new Uint32Array(tasks.length);
  const sentAt = new Float64Array(tasks.length);
  const lastAt = new Float64Array(tasks.length);
  const latencies = new Float64Array(perTask * tasks.length);
  const waiting = new Map<number, () => void>();
  let total = 0;
  let duplicates = 0;

  const placeFor = (task: number): number => {
    const place = placeOf.get(task);
    if (place === undefined) throw new Error(`task ${task} is not expected`);
    return place;
  };

  return {
    note(subscriber, task, state) {
      const place = placeOf.get(task);
      if (place === undefined || state !== expectedState) return;
      const cell = subscriber * tasks.length + place;
      if (seen[cell] === 1) {
        duplicates += 1;
        return;
      }
      seen[cell] = 1;
      const now = performance.now();
      latencies[total] = now - (sentAt[place] ?? 0);
      total += 1;
      const count = (counts[place] ?? 0) + 1;
      counts[place] = count;
      if (count !== perTask) return;
      lastAt[place] = now;
      waiting.get(place)?.();
    },
    sent(task) {
      sentAt[placeFor(task)] = performance.now();
    },
    delivered(task) {
      const place = placeFor(task);
      if (counts[place] === perTask) return Promise.resolve();
      return new Promise((resolve) => waiting.set(place, resolve));
    },
    has: (task) => counts[placeFor(task)] === perTask,
    get total() {
      return total;
    },
    get duplicates() {
      return duplicates;
    },
    latencies: () => latencies.slice(0, total).sort(),
    lastHops: () => Array.from(lastAt, (last, place) => last - (sentAt[place] ?? 0)),
    describe: () => `${total} of ${perTask * tasks.length} deliveries`,
  };
}
