import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector, interceptors, type Dispatcher } from 'undici';
import { Resolver } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';

export interface OutwardOptions {
  /** Resolves names; by the system's name servers when absent. */
  readonly lookup?: LookupFunction;
  /** Which addresses may be connected to; the public ones when absent. */
  readonly isAllowed?: (address: string) => boolean;
  readonly connectTimeoutMs: number;
  /** How many redirects are followed. */
  readonly maxRedirections: number;
}

/** An address leads somewhere that this gateway does not go. */
export class NotPublicError extends Error {
  override readonly name = 'NotPublicError';
}

/**
 * An HTTP client that cannot be led into the network that it stands in. What is judged is the address that is then
 * connected to, at each connection, so neither a name that resolves to something else the next time nor a
 * redirect gets past. To be destroyed after use.
 */
export function createOutwardAgent(options: OutwardOptions): Dispatcher {
  const {
    connectTimeoutMs,
    isAllowed = isPublicAddress,
    lookup = createOutwardLookup(),
    maxRedirections,
  } = options;
  const connect = buildConnector({ lookup: checked(lookup, isAllowed), timeout: connectTimeoutMs });
  const agent = new Agent({
    connect: (target, callback) => {
      const host = target.hostname.replace(/^\[|\]$/g, '');
      // Nothing is looked up for what is an address already.
      if (isIP(host) !== 0 && !isAllowed(host)) callback(new NotPublicError('not a public address'), null);
      else connect(target, callback);
    },
  });
  return agent.compose(interceptors.redirect({ maxRedirections }));
}

/** Resolves names as `lookup` does, but to nothing when one of the addresses may not be connected to. */
function checked(lookup: LookupFunction, isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      const addresses = found as unknown as readonly LookupAddress[];
      const [first] = error ? [] : addresses;
      if (error) callback(error, '');
      else if (!first || !addresses.every(({ address }) => isAllowed(address)))
        callback(new NotPublicError('a name that leads to no public address'), '');
      else if (options.all === true) callback(null, [...addresses]);
      else callback(null, first.address, first.family);
    });
  };
}

const TIMEOUT_MS = 2_000;
const TRIES = 2;

/**
 * Asks name servers itself: the system's own way cannot be given up, so that a few names whose servers do not answer
 * hold up every other lookup of the process. What stands in the machine's own files is not known to it.
 */
export function createOutwardLookup(servers?: readonly string[]): LookupFunction {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  if (servers) resolver.setServers(servers);

  return (hostname, _options, callback) => {
    void Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]).then(([v4, v6]) => {
      const addresses = [
        ...(v4.status === 'fulfilled' ? v4.value.map((address) => ({ address, family: 4 })) : []),
        ...(v6.status === 'fulfilled' ? v6.value.map((address) => ({ address, family: 6 })) : []),
      ];
      const failure: unknown = v4.status === 'rejected' ? v4.reason : null;
      if (addresses.length > 0) callback(null, addresses);
      else callback(failure instanceof Error ? failure : new Error('a name without addresses'), '');
    });
  };
}

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
