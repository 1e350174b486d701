import ipaddr from 'ipaddr.js';
import { isIP } from 'node:net';

/**
 * The name under which an address is counted, wherever something is counted for each address: IPv4 in its usual form, also
 * when it is written as IPv6, and the /64 of IPv6, of which one machine has all addresses. A port, which some proxies add, is
 * left out. Null when the text is no address.
 */
export function countedAddress(text: string): string | null {
  const [, bare = text] = /^\[(.*)\](?::\d+)?$/.exec(text) ?? /^([\d.]+):\d+$/.exec(text) ?? [];
  if (isIP(bare) === 0) return null;
  const address = ipaddr.process(bare);
  if (address instanceof ipaddr.IPv4) return address.toString();
  return `${new ipaddr.IPv6([...address.parts.slice(0, 4), 0, 0, 0, 0]).toString()}/64`;
}
