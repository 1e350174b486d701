const END_OF_HEAD = '\r\n\r\n';

/** Asks for a WebSocket that speaks graphql-transport-ws. */
export function upgradeRequest(port: number): string {
  return [
    'GET /graphql HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: a2luZW9ncmFwaC1iZW5jaA==',
    'Sec-WebSocket-Protocol: graphql-transport-ws',
    END_OF_HEAD.slice(2),
  ].join('\r\n');
}

export interface UpgradeSink {
  /** The upgrade is done; called before anything is read. */
  readonly onUpgraded: () => void;
  readonly onRefused: (head: string) => void;
  /** What comes after the upgrade. */
  readonly read: (chunk: Buffer) => void;
}

/** Takes what arrives on a connection from the answer to `upgradeRequest` on. */
export function createUpgradeReader({ onRefused, onUpgraded, read }: UpgradeSink): (chunk: Buffer) => void {
  let head: string | null = '';
  return (chunk) => {
    if (head === null) {
      read(chunk);
      return;
    }
    head += chunk.toString('latin1');
    const end = head.indexOf(END_OF_HEAD);
    if (end < 0) return;
    if (!head.startsWith('HTTP/1.1 101')) {
      onRefused(head);
      return;
    }
    const rest = Buffer.from(head.slice(end + END_OF_HEAD.length), 'latin1');
    head = null;
    onUpgraded();
    read(rest);
  };
}
