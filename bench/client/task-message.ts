import { DIGITS, PREFIX } from '../servers/shared/task-name.ts';

const MARK = Buffer.from(PREFIX);
const FIRST_FOUR = MARK.readUInt32BE(0);
const TO_STATE = DIGITS + '","state":"'.length;

/** What the client reads out of a message about a task. */
export interface Seen {
  /** Its number, or -1 for a message about none. */
  number: number;
  /** The first letter of its state. */
  state: number;
}

export const SUCCESS = 'S'.charCodeAt(0);

/** The first letter of the state into which a callback moves a task. */
export function firstLetterOf(move: string): number {
  return move.toUpperCase().charCodeAt(0);
}

/** Reads messages of one server, where the task's name stands at the same place in each; `seen` is used again. */
export function createTaskReader(): (buffer: Buffer, start: number, end: number) => Seen {
  const seen: Seen = { number: -1, state: 0 };
  let offset = 0;
  return (buffer, start, end) => {
    let at = start + offset;
    if (at + 4 > end || buffer.readUInt32BE(at) !== FIRST_FOUR) {
      at = buffer.indexOf(MARK, start);
      if (at < 0 || at >= end) {
        seen.number = -1;
        return seen;
      }
      offset = at - start;
    }
    const digits = at + MARK.length;
    let number = 0;
    for (let place = 0; place < DIGITS; place += 1)
      number = number * 10 + ((buffer[digits + place] ?? 0) - 48);
    seen.number = number;
    seen.state = buffer[digits + TO_STATE] ?? 0;
    return seen;
  };
}
