import ipaddr from 'ipaddr.js';

/** What the registries hand out for use on the internet; all else that is set apart within has a name of its own. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/** Public by its number, and in Azure the agent of the machine's host (Microsoft: "What is IP address 168.63.129.16?"). */
const AZURE_HOST = '168.63.129.16';

/** Whether an IP address is one that everybody can reach: no loopback, private, link-local, translated or reserved one. */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  // An IPv4 address that is written as an IPv6 one is that IPv4 address.
  const parsed = ipaddr.process(address);
  const isGlobal = parsed.kind() === 'ipv4' || (parsed as ipaddr.IPv6).match(GLOBAL_UNICAST);
  return isGlobal && parsed.range() === 'unicast' && parsed.toString() !== AZURE_HOST;
}
