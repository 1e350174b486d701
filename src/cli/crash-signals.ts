/**
 * What native code raises when it crashes; to be left alone. With a handler in JavaScript the process does not end but
 * meets the same fault again and again.
 */
export const CRASH_SIGNALS = ['SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV', 'SIGTRAP'] as const;
