/** For a `catch`: says of an address that cannot be listened on what to do; passes every other error on. */
export function explainPort(host: string, port: number, otherPorts: string): (error: unknown) => never {
  return (error) => {
    const explain = EXPLANATIONS[codeOf(error)];
    if (!explain) throw error;
    throw new Error(explain(host, port, otherPorts), { cause: error });
  };
}

type Explain = (host: string, port: number, otherPorts: string) => string;

const noSuchHost: Explain = (host) =>
  `HOST=${host} is no address of this machine. Set HOST to one of its own, to 127.0.0.1 (this machine alone) or to 0.0.0.0 (all of its addresses).`;

const EXPLANATIONS: Readonly<Record<string, Explain>> = {
  EADDRINUSE: (host, port, otherPorts) =>
    `port ${port} on ${host} is in use. Stop what listens there, or choose another: ${otherPorts}.`,
  EACCES: (host, port) =>
    `this user may not listen on port ${port} of ${host}. Choose a PORT from 1024 on and put a proxy in front, or allow it (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE).`,
  EADDRNOTAVAIL: noSuchHost,
  ENOTFOUND: noSuchHost,
  EAI_AGAIN: (host) => `HOST=${host} cannot be looked up: DNS does not answer. Set HOST to an IP address.`,
};

/** Of an error of listening, or of looking up where; files fail with the same codes. */
function codeOf(error: unknown): string {
  const isOurs =
    error instanceof Error && 'syscall' in error && /^(listen|getaddrinfo)$/.test(String(error.syscall));
  return isOurs && 'code' in error ? String(error.code) : '';
}
