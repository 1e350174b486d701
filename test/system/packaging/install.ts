import { startProcess } from '../../kit/process.ts';

/** Runs npm in a directory to its end, which has to be a good one. Returns what it wrote to stdout. */
export async function npm(args: readonly string[], directory: string): Promise<string> {
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  const run = startProcess('npm', [...args, ...quiet], {}, directory);
  const { code } = await run.exited;
  if (code !== 0) throw new Error(`npm ${args.join(' ')}: ${run.stderr()}`);
  return run.stdout();
}
