/** A released version; `name` is its tag. */
export interface Version {
  readonly name: string;
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** `1.2.3` or `v1.2.3`; throws for anything else. What follows a hyphen is left aside. */
export function parseVersion(text: string): Version {
  const [, major, minor, patch] = /^v?(\d+)\.(\d+)\.(\d+)(?:-.*)?$/.exec(text) ?? [];
  if (major === undefined) throw new Error(`"${text}" is no version such as 1.2.3`);
  return { name: text, major: Number(major), minor: Number(minor), patch: Number(patch) };
}

/** The newest of the tags of releases, by Semantic Versioning; null when none is one. */
export function newest(tags: readonly string[]): Version | null {
  const versions = tags.filter((tag) => /^v\d+\.\d+\.\d+$/.test(tag)).map(parseVersion);
  return versions.toSorted(compare).at(-1) ?? null;
}

/** Whether a version may break what an earlier one promised: the next major one, and before 1.0.0 the next minor one. */
export function mayBreak(released: Version, next: Version): boolean {
  if (next.major !== released.major) return next.major > released.major;
  return next.major === 0 && next.minor > released.minor;
}

function compare(a: Version, b: Version): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch;
}
