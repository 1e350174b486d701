import { isLoopback, isOnLoopback } from '../config/loopback.ts';

/** Whether a request may be for the host that it names. */
export type HostPolicy = (hostHeader: string | undefined) => boolean;

/** A host and perhaps a port; with more than that a parser of URLs would find the host elsewhere than others do. */
export function isHost(header: string): boolean {
  return !/[@/\\?#\s]/.test(header) && URL.canParse(`http://${header}`);
}

/**
 * A page of another host whose name suddenly resolves to this machine would be same-origin with us (DNS rebinding). Where
 * nobody is asked who they are, only loopback names and our public address are answered.
 */
export function createHostPolicy(options: {
  readonly isOpen: boolean;
  readonly host: string;
  readonly publicUrl: () => string | null;
}): HostPolicy {
  const { host, isOpen, publicUrl } = options;
  // Open to everyone on another address: the operator has said that any name will do.
  if (!isOpen || !isLoopback(host)) return () => true;
  return (header) => {
    if (header === undefined || !isHost(header)) return false;
    const named = new URL(`http://${header}`);
    if (isOnLoopback(named)) return true;
    const own = publicUrl();
    return own !== null && new URL(own).hostname === named.hostname;
  };
}
