/** What a scrape of `/metrics` said. */
export interface Scraped {
  /** Each metric in its order: its name, type and help, and the names of its labels. */
  readonly metrics: readonly Described[];
  /** The value of a series by its text, such as `kineograph_tasks{state="WAITING"}`; undefined when there is none. */
  value(series: string): number | undefined;
  /** Every name that a query may use: of a histogram those of its parts. */
  readonly names: ReadonlySet<string>;
}

interface Described {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

/** Reads the text format of Prometheus. */
export function readScrape(text: string): Scraped {
  const lines = text.split('\n');
  const samples = lines.flatMap((line) => {
    const [, series, value] = /^([a-z_]+(?:\{.*\})?) (\S+)$/i.exec(line) ?? [];
    return series === undefined ? [] : [{ series, value: Number(value) }];
  });
  const metrics = lines.flatMap((line, at): Described[] => {
    const [, name = '', type = ''] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (name === '') return [];
    const help = lines[at - 1]?.slice(`# HELP ${name} `.length) ?? '';
    return [{ name, type, labels: labelsOf(name, samples), help }];
  });
  const names = metrics.flatMap(({ name, type }) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
  return {
    metrics,
    value: (series) => samples.find((sample) => sample.series === series)?.value,
    names: new Set(names),
  };
}

function labelsOf(metric: string, samples: readonly { readonly series: string }[]): readonly string[] {
  const own = samples.filter(({ series }) => {
    const [name = ''] = series.split('{');
    return name === metric || name.replace(/_(bucket|sum|count)$/, '') === metric;
  });
  const labels = own.flatMap(({ series }) =>
    [...series.matchAll(/[{,](\w+)="/g)].map(([, label = '']) => label),
  );
  return [...new Set(labels)].filter((label) => label !== 'le');
}
