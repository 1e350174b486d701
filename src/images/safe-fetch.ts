import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector, interceptors, type Dispatcher } from 'undici';
import { Resolver } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';

export interface SafeAgentOptions {
  /** Resolves names; with the system's name servers when absent. */
  readonly lookup?: LookupFunction;
  /** Which addresses may be connected to; the public ones when absent. */
  readonly isAllowed?: (address: string) => boolean;
  readonly connectTimeoutMs: number;
  /** How many redirects are followed. */
  readonly maxRedirections: number;
}

/**
 * An HTTP client that connects to public addresses only. Each connection is checked by the address that it then uses, so
 * neither a redirect nor a name that resolves differently the next time gets past. Destroy it after use.
 */
export function createSafeAgent(options: SafeAgentOptions): Dispatcher {
  const {
    connectTimeoutMs,
    isAllowed = isPublicAddress,
    lookup = createSafeLookup(),
    maxRedirections,
  } = options;
  const connect = buildConnector({ lookup: checked(lookup, isAllowed), timeout: connectTimeoutMs });
  const agent = new Agent({
    connect: (target, callback) => {
      const host = target.hostname.replace(/^\[|\]$/g, '');
      // Addresses are not looked up.
      if (isIP(host) !== 0 && !isAllowed(host)) callback(new Error('not a public address'), null);
      else connect(target, callback);
    },
  });
  return agent.compose(interceptors.redirect({ maxRedirections }));
}

/** Resolves names as `lookup` does, and fails when one of the addresses is not allowed. */
function checked(lookup: LookupFunction, isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      const addresses = found as unknown as readonly LookupAddress[];
      const [first] = error ? [] : addresses;
      if (error) callback(error, '');
      else if (!first || !addresses.every(({ address }) => isAllowed(address)))
        callback(new Error('the name has an address that is not public'), '');
      else if (options.all === true) callback(null, [...addresses]);
      else callback(null, first.address, first.family);
    });
  };
}

const TIMEOUT_MS = 2_000;
const TRIES = 2;

/**
 * Uses c-ares instead of getaddrinfo: getaddrinfo cannot be cancelled and blocks libuv's four threads, so a few dead name
 * servers would stall all lookups. Ignores /etc/hosts.
 */
export function createSafeLookup(servers?: readonly string[]): LookupFunction {
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
      else callback(failure instanceof Error ? failure : new Error('the name has no addresses'), '');
    });
  };
}

/** The addresses that registries assign for the internet; ipaddr.js names the reserved ranges within. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/** A public number, but in Azure the agent of the host (Microsoft: "What is IP address 168.63.129.16?"). */
const AZURE_HOST = '168.63.129.16';

/** Whether everybody can reach an IP address: it is not loopback, private, link-local, translated or reserved. */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  // An IPv4 address that is written as an IPv6 one is that IPv4 address.
  const parsed = ipaddr.process(address);
  const isGlobal = parsed.kind() === 'ipv4' || (parsed as ipaddr.IPv6).match(GLOBAL_UNICAST);
  return isGlobal && parsed.range() === 'unicast' && parsed.toString() !== AZURE_HOST;
}
