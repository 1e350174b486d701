/** The values of an enum from their descriptions: a value without one does not compile. */
export function enumValues<Name extends string>(
  descriptions: Readonly<Record<Name, string>>,
): Record<Name, { description: string }> {
  const entries = Object.entries<string>(descriptions);
  return Object.fromEntries(entries.map(([name, description]) => [name, { description }])) as Record<
    Name,
    { description: string }
  >;
}
