import type { Metafile } from 'esbuild';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

interface Package {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

const LICENSE_FILE = /^(?:licen[cs]e|copying|notice)\b/i;

/** Writes to `file` the licences of the packages of which something was bundled, as Vite does for the dashboard. */
export async function writeLicenses(metafile: Metafile, file: string): Promise<void> {
  const outputs = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.entries(inputs));
  const bundled = outputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  const directories = new Set(bundled.flatMap(([path]) => directoryOf(path) ?? []));
  const sections = await Promise.all([...directories].map(sectionOf));
  const intro = '# Licenses\n\nThe gateway bundles packages with these licenses:';
  await writeFile(file, `${[intro, ...new Set(sections.toSorted())].join('\n\n')}\n`);
}

function directoryOf(path: string): string | undefined {
  return /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
}

async function sectionOf(directory: string): Promise<string> {
  const manifest = await readFile(join(directory, 'package.json'), 'utf8');
  const { license, name, version } = JSON.parse(manifest) as Package;
  const files = (await readdir(directory)).filter((entry) => LICENSE_FILE.test(entry)).toSorted();
  const texts = await Promise.all(files.map((entry) => readFile(join(directory, entry), 'utf8')));
  return [`## ${name} - ${version} (${license})`, ...texts.map((text) => text.trim())].join('\n\n');
}
