/** Three digits that mean something, more where the number is whole anyway. */
export function shown(value: number): string {
  const isLarge = Math.abs(value) >= 100;
  return isLarge ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}

/** A Markdown table as prettier would leave it. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
