import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(__dirname, '..', '..', '..');

it.each(['bench', 'chaos'])('npm run %s starts from what the build makes, and names what it can do', async (tool) => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, 'tools', 'build', 'run.cjs'), `tools/${tool}`, '--help'], { cwd: ROOT });
  expect(stdout).toContain(tool === 'bench' ? 'reference-200' : 'conservation');
});
