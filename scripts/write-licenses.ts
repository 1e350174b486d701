import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly author?: string | { readonly name: string };
}

const LICENSE_FILE = /^(?:licen[cs]e|copying|notice|third-?party)/i;

/** Writes to `file` the licences of the packages to which these modules belong, by their paths; others are ours. */
export async function writeLicenses(modules: Iterable<string>, file: string): Promise<void> {
  const directories = new Set([...modules].flatMap((path) => directoryOf(path) ?? []));
  const sections = await Promise.all([...directories].map(sectionOf));
  const intro = '# Licenses\n\nThese packages are part of the files beside this one:';
  await writeFile(file, `${[intro, ...new Set(sections.toSorted())].join('\n\n')}\n`);
}

function directoryOf(path: string): string | undefined {
  return /[^\0]*\bnode_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
}

async function sectionOf(directory: string): Promise<string> {
  const manifest = await readFile(join(directory, 'package.json'), 'utf8');
  const { author = 'its authors', license, name, version } = JSON.parse(manifest) as Manifest;
  const files = (await readdir(directory)).filter((entry) => LICENSE_FILE.test(entry)).toSorted();
  const texts = await Promise.all(files.map((entry) => readFile(join(directory, entry), 'utf8')));
  const by = `By ${typeof author === 'string' ? author : author.name}. The text of the licence does not come with the package.`;
  const said = texts.length > 0 ? texts.map((text) => text.trim()) : [by];
  return [`## ${name} - ${version} (${license})`, ...said].join('\n\n');
}
