import type { Log } from './log.ts';

/** How a sandbox behaves. Times are in milliseconds. */
export interface SandboxOptions {
  /** The address to listen on; 127.0.0.1 when absent. */
  readonly host?: string;
  /** 0, or absent: any free port. */
  readonly port?: number;
  /** The Bearer to ask for; any non-empty one when absent. */
  readonly apiKey?: string;
  /** Signs the callbacks; '' leaves them unsigned. */
  readonly hmacKey: string;
  /** Where the balance and the recent tasks are kept; in memory when absent. */
  readonly stateFile?: string;
  /** Where uploaded pictures are kept for a day; a directory of its own, gone with the sandbox, when absent. */
  readonly uploadsDir?: string;
  /** The base address of result files, asked each time a result is shown; the sandbox's own when absent. */
  readonly filesUrl?: () => string;
  /** The balance of a new account. */
  readonly credits?: number;
  /** From a task's creation to its end. */
  readonly durationMs?: number;
  /** How long recordInfo knows nothing of a new task. */
  readonly invisibleMs?: number;
  readonly createsPer10s?: number;
  readonly queriesPerS?: number;
  /** A receiver's time to answer a callback. */
  readonly callbackTimeoutMs?: number;
  /** The pause before each repetition of a callback that failed. */
  readonly callbackRetryDelaysMs?: readonly number[];
  readonly log?: Log;
}

const DEFAULTS = {
  host: '127.0.0.1',
  port: 0,
  credits: 10_000,
  durationMs: 6_000,
  invisibleMs: 1_000,
  createsPer10s: 20,
  queriesPerS: 10,
  callbackTimeoutMs: 15_000,
  callbackRetryDelaysMs: [1_000, 2_000, 4_000],
  log: () => undefined,
} satisfies Partial<SandboxOptions>;

/** The options with nothing left open but what has no default. */
export type SandboxSettings = SandboxOptions & Required<Pick<SandboxOptions, keyof typeof DEFAULTS>>;

/** Fills in what was left out, with the provider's published limits where there are any. */
export function withDefaults(options: SandboxOptions): SandboxSettings {
  return { ...DEFAULTS, ...options };
}
