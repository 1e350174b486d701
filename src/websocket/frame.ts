import { MessageType } from 'graphql-ws';

const TAIL = '}'.charCodeAt(0);

/** RFC 6455, 5.2: a whole message (FIN) of text (opcode 1); servers do not mask. */
const WHOLE_TEXT = 0x81;
/** Longer payloads say so, and tell their length in the two or eight bytes that follow. */
const SHORT = 125;
const IN_TWO_BYTES = 126;
const IN_EIGHT_BYTES = 127;

/** What stands before the result in each `next` message of a subscription, as UTF-8. */
export function headOf(id: string): Buffer {
  return Buffer.from(`{"id":${JSON.stringify(id)},"type":"${MessageType.Next}","payload":`);
}

/**
 * A `next` message as a WebSocket frame, of a head and a result that many have in common. `mayWait` is whether it may be
 * kept for a while.
 */
export function nextFrame(head: Buffer, result: Uint8Array, mayWait: boolean): Buffer {
  const length = head.length + result.length + 1;
  const size = sizeOfStart(length) + length;
  // Small buffers share their memory with others, which is quick, and keep all of it from being freed: a few messages that
  // wait for a client would hold many times their size.
  const frame = mayWait ? Buffer.allocUnsafeSlow(size) : Buffer.allocUnsafe(size);
  const at = writeStart(frame, length);
  frame.set(head, at);
  frame.set(result, at + head.length);
  frame[size - 1] = TAIL;
  return frame;
}

function sizeOfStart(length: number): number {
  if (length <= SHORT) return 2;
  return length <= 0xffff ? 4 : 10;
}

/** Returns where the payload begins. */
function writeStart(frame: Buffer, length: number): number {
  frame[0] = WHOLE_TEXT;
  if (length <= SHORT) return frame.writeUInt8(length, 1);
  if (length <= 0xffff) {
    frame[1] = IN_TWO_BYTES;
    return frame.writeUInt16BE(length, 2);
  }
  frame[1] = IN_EIGHT_BYTES;
  return frame.writeBigUInt64BE(BigInt(length), 2);
}
