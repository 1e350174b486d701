import ipaddr from 'ipaddr.js';
import { isIP } from 'node:net';

/**
 * The form in which an address is counted: IPv4 without the IPv6 form of it, and the /64 of IPv6, all of which one machine may
 * have. Ignores a port, which some proxies add. Null if the text is no address.
 */
export function countedAddress(text: string): string | null {
  const [, bare = text] = /^\[(.*)\](?::\d+)?$/.exec(text) ?? /^([\d.]+):\d+$/.exec(text) ?? [];
  if (isIP(bare) === 0) return null;
  const address = ipaddr.process(bare);
  if (address instanceof ipaddr.IPv4) return address.toString();
  return `${new ipaddr.IPv6([...address.parts.slice(0, 4), 0, 0, 0, 0]).toString()}/64`;
}
