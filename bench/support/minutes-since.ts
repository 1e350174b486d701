/** What has passed since `started` of the monotonic clock, for readers. */
export function minutesSince(started: number): string {
  return `${((performance.now() - started) / 60_000).toFixed(1)} minutes`;
}
