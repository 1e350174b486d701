import type { Log } from './log.ts';
import { startLoop, type Loop } from './worker.ts';
import type { TaskPorts } from './ports.ts';
import type { TaskStore } from './store.ts';

const LOOK_MS = 1000;
/** How far the clock may deviate from the monotonic clock between two looks. */
const JUMP_MS = 2000;
/** A look that is this late shows that the process slept. */
const SLEPT_MS = 5000;

/** Detects that the clock was set or the process slept. */
interface TimeWatch extends Loop {
  /** ms since the last such event; Infinity before the first. */
  steadyFor(): number;
  /** For how long it has been watching, in ms: a clock that was set before is not noticed. */
  watchedFor(): number;
}

/** Whether deadlines in records may be enforced. */
export function isClockTrusted({ clock, timings }: Pick<TaskPorts, 'clock' | 'timings'>): boolean {
  return (clock.steadyFor?.() ?? Infinity) >= timings.clockDoubt;
}

/**
 * The same for a conclusion that nothing takes back. A process that has just started cannot tell how its clock was set, so
 * it must have watched for a while; `enough` ms are enough where that is less.
 */
export function isClockProven(ports: Pick<TaskPorts, 'clock' | 'timings'>, enough = Infinity): boolean {
  const watchedFor = ports.clock.watchedFor?.() ?? Infinity;
  return isClockTrusted(ports) && watchedFor >= Math.min(ports.timings.clockDoubt, enough);
}

type Ports = Pick<TaskPorts, 'clock' | 'log'> & { readonly store: Pick<TaskStore, 'clockWentBack'> };

/** Without a monotonic clock it detects nothing. */
export function startTimeWatch({ clock, log, store }: Ports): TimeWatch {
  const always = (): number => Infinity;
  const { elapsed } = clock;
  if (!elapsed)
    return {
      steadyFor: always,
      watchedFor: always,
      wake: () => undefined,
      stop: () => Promise.resolve(),
    };
  const startedAt = elapsed();
  let last = { now: clock.now(), elapsed: startedAt };
  let happenedAt = -Infinity;
  let goneBack = false;

  const look = (): void => {
    const seen = { now: clock.now(), elapsed: elapsed() };
    const passed = seen.elapsed - last.elapsed;
    const jump = seen.now - last.now - passed;
    last = seen;
    if (Math.abs(jump) > JUMP_MS) warnOfJump(log, jump);
    else if (passed > LOOK_MS + SLEPT_MS)
      log.warn({ ms: Math.round(passed) }, 'the process was suspended; reading what arrived meanwhile');
    else return;
    happenedAt = seen.elapsed;
    goneBack ||= jump < -JUMP_MS;
  };

  const loop = startLoop({
    clock,
    retryMs: LOOK_MS,
    onError: (error) => {
      log.error({ err: error }, 'rescheduling after the clock was set back failed; retrying');
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
      // The caller may have read a clock that was set since the last look.
      look();
      return elapsed() - happenedAt;
    },
    watchedFor: () => elapsed() - startedAt,
  };
}

function warnOfJump(log: Log, jump: number): void {
  const seconds = Math.abs(Math.round(jump / 1000));
  const how = jump < 0 ? 'back' : 'ahead';
  log.warn(
    { jumpMs: Math.round(jump) },
    `the clock jumped ${how} by ${seconds} s; it was set, or the machine was suspended`,
  );
}
