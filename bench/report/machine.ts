import { readFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { ROOT } from '../support/processes.ts';

const PACKAGES = [
  'graphql',
  'graphql-yoga',
  '@pothos/core',
  'graphql-ws',
  'mercurius',
  'graphql-jit',
  '@apollo/server',
  'express',
  'graphql-subscriptions',
  'ws',
];

/** What it ran on, for the head of the report. */
export interface Machine {
  readonly hardware: string;
  readonly node: string;
  /** Others who use the machine make every figure worse. */
  readonly loadBefore: number;
  readonly versions: readonly string[];
  readonly date: string;
}

export async function describeMachine(): Promise<Machine> {
  const [first] = cpus();
  const [kernel = ''] = /^\d+\.\d+/.exec(release()) ?? [];
  return {
    hardware: `${cpus().length} cores (${first?.model ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${kernel}`,
    node: process.version,
    loadBefore: loadavg()[0] ?? 0,
    versions: await Promise.all(PACKAGES.map(versionOf)),
    date: new Date().toISOString().slice(0, 10),
  };
}

async function versionOf(name: string): Promise<string> {
  const file = await readFile(`${ROOT}bench/node_modules/${name}/package.json`, 'utf8');
  return `${name} ${(JSON.parse(file) as { readonly version: string }).version}`;
}
