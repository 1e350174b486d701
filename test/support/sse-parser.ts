export interface SseEvent {
  /** `message` when the stream names none. */
  readonly event: string;
  readonly data: string;
}

/**
 * Reads server-sent events out of chunks of text, however they are cut: call it with each chunk for the events that
 * it completes. Comments (keep-alives) are skipped.
 */
export function createSseParser(): (chunk: string) => SseEvent[] {
  let rest = '';

  return (chunk) => {
    const blocks = (rest + chunk).replaceAll('\r\n', '\n').split('\n\n');
    rest = blocks.pop() ?? '';
    return blocks.map(parseBlock).filter((event) => event !== undefined);
  };
}

function parseBlock(block: string): SseEvent | undefined {
  const fields = block.split('\n').map(parseField);
  const valuesOf = (name: string): string[] =>
    fields.filter(([field]) => field === name).map(([, value]) => value);

  const event = valuesOf('event').at(-1);
  const data = valuesOf('data');
  if (event === undefined && data.length === 0) return undefined;
  return { event: event ?? 'message', data: data.join('\n') };
}

function parseField(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(':');
  if (colon < 0) return [line, ''];
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
}
