import type { ExecutionResult } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Arrival } from './graphql.ts';

/** What comes with a request whose operation has run already, and only has to be answered. */
export interface KnownOutcome {
  /** Its result, or what was thrown on the way. */
  readonly outcome?: Promise<ExecutionResult>;
}

/** Puts the outcome of such an operation where the engine's own run of it would be: an operation must not run twice. */
export const answerKnownOutcome: Plugin<object, Arrival & KnownOutcome> = {
  onParams({ context, setParamsHandler }) {
    const { outcome } = context;
    if (outcome) setParamsHandler(() => outcome);
  },
};
