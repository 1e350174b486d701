import type { Log } from './log.ts';
import { startLoop, type Loop } from './worker.ts';
import type { TaskPorts } from './ports.ts';
import type { TaskStore } from './store.ts';

const LOOK_MS = 1000;
/** By how much the clock and the time that went by may differ from one look to the next. */
const JUMP_MS = 2000;
/** How long a look may be late before the process counts as having slept. */
const SLEPT_MS = 5000;

/** Notices that the clock was set, and that the process slept: what it knows of others is out of date then. */
interface TimeWatch extends Loop {
  /** For how long nothing of the kind has happened up to now, in ms; Infinity when it never has. */
  steadyFor(): number;
}

/** Whether a task may be deleted or given up because of a time that is written in it. */
export function isClockTrusted({ clock, timings }: Pick<TaskPorts, 'clock' | 'timings'>): boolean {
  return (clock.steadyFor?.() ?? Infinity) >= timings.clockDoubt;
}

type Ports = Pick<TaskPorts, 'clock' | 'log'> & { readonly store: Pick<TaskStore, 'clockWentBack'> };

/** Where there is no clock beside the one that may be set, nothing is ever noticed. */
export function startTimeWatch(ports: Ports): TimeWatch {
  const { elapsed } = ports.clock;
  return elapsed ? watch(ports, elapsed) : UNWATCHED;
}

function watch({ clock, log, store }: Ports, elapsed: () => number): TimeWatch {
  let last = { now: clock.now(), elapsed: elapsed() };
  let happenedAt = -Infinity;
  let goneBack = false;

  function look(): void {
    const seen = { now: clock.now(), elapsed: elapsed() };
    const passed = seen.elapsed - last.elapsed;
    const jump = seen.now - last.now - passed;
    last = seen;
    if (Math.abs(jump) > JUMP_MS) tellOfJump(log, jump);
    else if (passed > LOOK_MS + SLEPT_MS)
      log.warn(
        { ms: Math.round(passed) },
        'the process was stopped for a while; it reads what arrived meanwhile',
      );
    else return;
    happenedAt = seen.elapsed;
    goneBack ||= jump < -JUMP_MS;
  }

  const loop = startLoop({
    clock,
    retryMs: LOOK_MS,
    onError: (error) => {
      log.error({ err: error }, 'what the clock has put off could not be made due; trying again');
    },
    round: async () => {
      look();
      if (goneBack) {
        await store.clockWentBack(clock.now());
        goneBack = false;
      }
      return LOOK_MS;
    },
  });
  return {
    ...loop,
    steadyFor: () => {
      // Whoever asks may have read a clock that was set since the last look.
      look();
      return elapsed() - happenedAt;
    },
  };
}

const UNWATCHED: TimeWatch = {
  steadyFor: () => Infinity,
  wake: () => undefined,
  stop: () => Promise.resolve(),
};

function tellOfJump(log: Log, jump: number): void {
  const seconds = Math.abs(Math.round(jump / 1000));
  const how = jump < 0 ? 'back' : 'ahead';
  log.warn(
    { jumpMs: Math.round(jump) },
    `the clock went ${how} by ${seconds} s; was it set, or the machine suspended?`,
  );
}
