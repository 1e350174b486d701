import { MessageType } from 'graphql-ws';

const TAIL = '}'.charCodeAt(0);

/** What stands before the result in each `next` message of a subscription. */
export function headOf(id: string): string {
  return `{"id":${JSON.stringify(id)},"type":"${MessageType.Next}","payload":`;
}

/** A `next` message, of a head and a result that many have in common. `mayWait` is whether it may be kept for a while. */
export function nextMessage(head: string, result: Uint8Array, mayWait: boolean): Buffer {
  const start = Buffer.byteLength(head);
  const length = start + result.length + 1;
  // Small buffers share their memory with others, which is quick, and keep all of it from being freed: a few messages that
  // wait for a client would hold many times their size.
  const message = mayWait ? Buffer.allocUnsafeSlow(length) : Buffer.allocUnsafe(length);
  message.write(head);
  message.set(result, start);
  message[length - 1] = TAIL;
  return message;
}
