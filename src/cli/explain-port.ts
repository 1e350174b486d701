/** For a `catch`: says of a port in use what to do; passes every other error on. */
export function explainPort(host: string, port: number, otherPorts: string): (error: unknown) => never {
  return (error) => {
    const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    if (!isTaken) throw error;
    throw new Error(
      `port ${port} on ${host} is in use. Stop what listens there, or choose another: ${otherPorts}.`,
      { cause: error },
    );
  };
}
