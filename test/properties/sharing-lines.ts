import { openSocket, type Socket } from './sharing-socket.ts';
import type { SocketName, Who } from './sharing-steps.ts';

/** A socket, and how its client has treated it. */
export interface Line {
  readonly socket: Socket;
  /** The ids of subscriptions that had begun, and have left. */
  readonly free: string[];
  readonly isPaused: boolean;
  readonly wasPaused: boolean;
  readonly isGone: boolean;
}

/** The sockets of two owners, each opened when it is first used. */
export interface Lines {
  get(who: Who, name: SocketName): Promise<Line>;
  /** The owner's slow socket reads nothing more. */
  pause(who: Who): Promise<void>;
  resume(who: Who): void;
  /** Ends a socket; the next one of its name is a new one. */
  hangUp(who: Who, name: SocketName, how: 'close' | 'terminate'): Promise<void>;
  /** Fulfilled when all that was sent by now over any of them has come. */
  drained(): Promise<void>;
  readonly faults: () => readonly string[];
  end(): Promise<void>;
}

/** `onMessage` is called after each message. */
export function createLines(
  url: string,
  owners: Readonly<Record<Who, string>>,
  onMessage: () => void,
): Lines {
  const lines = new Map<string, Line & { isPaused: boolean; wasPaused: boolean; isGone: boolean }>();
  const sockets: Socket[] = [];

  async function get(who: Who, name: SocketName) {
    const known = lines.get(who + name);
    if (known) return known;
    const socket = await openSocket(url, owners[who], onMessage);
    sockets.push(socket);
    const line = { socket, free: [], isPaused: false, wasPaused: false, isGone: false };
    lines.set(who + name, line);
    return line;
  }

  return {
    get,
    async pause(who) {
      const line = await get(who, 'slow');
      line.isPaused = line.wasPaused = true;
      line.socket.pause();
    },
    resume(who) {
      const line = lines.get(`${who}slow`);
      if (!line) return;
      line.isPaused = false;
      line.socket.resume();
    },
    async hangUp(who, name, how) {
      const line = lines.get(who + name);
      if (!line) return;
      lines.delete(who + name);
      line.isGone = true;
      await line.socket.end(how);
    },
    async drained() {
      await Promise.all([...lines.values()].map(({ socket }) => socket.drained()));
    },
    faults: () => sockets.flatMap(({ faults }) => faults),
    async end() {
      await Promise.all([...lines.values()].map(({ socket }) => socket.end('terminate')));
    },
  };
}
