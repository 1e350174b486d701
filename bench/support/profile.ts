/** Where the CPU profile of a measured gateway goes, and under which name. */
export interface Profile {
  readonly directory: string;
  readonly name: string;
}

/** Named after the measurement, in characters that no shell minds. */
export function profileOf(directory: string, parts: readonly string[]): Profile {
  const words = parts.flatMap(
    (part) =>
      part
        .toLowerCase()
        .replaceAll(',', '')
        .match(/[a-z0-9]+/g) ?? [],
  );
  return { directory, name: words.join('-') };
}

/** What Node is told, so that it writes the profile when it ends; not when it is killed. */
export function profileArguments({ directory, name }: Profile): readonly string[] {
  return ['--cpu-prof', `--cpu-prof-dir=${directory}`, `--cpu-prof-name=${name}.cpuprofile`];
}
