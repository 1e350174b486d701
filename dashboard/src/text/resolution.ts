/** A value of `VideoResolution`, such as P1080, as people write it. */
export function resolution(value: string): string {
  return `${value.slice(1)}p`;
}
