/** The exit codes of every command. */
export const EXIT = {
  ok: 0,
  failed: 1,
  /** sysexits.h: the command line is wrong, the configuration is wrong. */
  usage: 64,
  config: 78,
} as const;
