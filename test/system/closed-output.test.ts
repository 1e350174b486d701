import { expect, test } from 'vitest';
import { temporaryDir } from '../kit/gateway.ts';
import { MAIN, runBuilt, startProcess } from '../kit/process.ts';

test.each(['--help', '--version', 'doctor', 'doctor --json', 'migrate --dry-run', 'migrate', 'nonsense'])(
  '"kineograph %s" whose reader has gone ends quietly, with the same exit code',
  async (command) => {
    const { code } = await runBuilt(command.split(' '), { DATA_DIR: await temporaryDir() });
    const script = `'${process.execPath}' '${MAIN}' ${command} 2>&1 | true; echo "ended with \${PIPESTATUS[0]}"`;
    const closed = startProcess('bash', ['-c', script], { DATA_DIR: await temporaryDir() });
    await closed.exited;
    expect(closed.stdout()).toBe(`ended with ${code}\n`);
  },
);

test('"kineograph doctor | head" shows the beginning and no trace', async () => {
  const script = `'${process.execPath}' '${MAIN}' doctor | head -n 1`;
  const doctor = startProcess('bash', ['-c', script], { DATA_DIR: await temporaryDir() });
  expect((await doctor.exited).code).toBe(0);
  expect(doctor.stdout().trimEnd().split('\n')).toHaveLength(1);
  expect(doctor.stderr()).toBe('');
});
