/** Frames of RFC 6455 as far as a client of our servers needs them: no fragments, no extensions. */

export interface FrameSink {
  readonly onText: (buffer: Buffer, start: number, end: number) => void;
  readonly onPing: (payload: Buffer) => void;
  readonly onClose: (code: number, reason: string) => void;
}

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** Takes what arrives on one connection; the buffer it is given may be used again afterwards. */
export function createFrameReader(sink: FrameSink): (chunk: Buffer) => void {
  let rest: Buffer | null = null;
  return (chunk) => {
    const buffer = rest ? Buffer.concat([rest, chunk]) : chunk;
    const used = readFrames(buffer, sink);
    rest = used < buffer.length ? Buffer.from(buffer.subarray(used)) : null;
  };
}

/** How many bytes whole frames took. */
function readFrames(buffer: Buffer, sink: FrameSink): number {
  let at = 0;
  while (at + 2 <= buffer.length) {
    const short = (buffer[at + 1] ?? 0) & 0x7f;
    const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    if (start > buffer.length) break;
    const length =
      short < 126
        ? short
        : short === 126
          ? buffer.readUInt16BE(at + 2)
          : Number(buffer.readBigUInt64BE(at + 2));
    const end = start + length;
    if (end > buffer.length) break;
    dispatch(buffer, buffer[at] ?? 0, start, end, sink);
    at = end;
  }
  return at;
}

function dispatch(buffer: Buffer, first: number, start: number, end: number, sink: FrameSink): void {
  if (first === (0x80 | TEXT)) sink.onText(buffer, start, end);
  else if (first === (0x80 | PING)) sink.onPing(Buffer.from(buffer.subarray(start, end)));
  else if (first === (0x80 | CLOSE)) {
    const code = end - start >= 2 ? buffer.readUInt16BE(start) : 1005;
    sink.onClose(code, buffer.toString('utf8', start + 2, end));
  } else if (first !== (0x80 | PONG)) throw new Error(`a frame that begins with ${first}`);
}

export function textFrame(text: string): Buffer {
  return frame(TEXT, Buffer.from(text));
}

export function pongFrame(payload: Buffer): Buffer {
  return frame(PONG, payload);
}

/** Masked with zeros, which leaves the payload as it is. */
function frame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  if (length > 0xffff) throw new Error(`${length} bytes are more than the benchmark ever sends`);
  const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...size, 0, 0, 0, 0]), payload]);
}
