import { join } from 'node:path';
import { cached, serversDir, type Progress } from './cache';
import { assertPresent } from './needs';
import { output, run } from './run';

const REQUIREMENTS = join(serversDir, 'requirements.txt');

/** The python of an environment of its own, with moto in it (some 35 MB to download the first time). */
export async function motoPython(cache: string, progress: Progress): Promise<string> {
  const version = output('python3', '--version');
  const dir = await cached(cache, 'python', [REQUIREMENTS, version], async (fresh) => {
    assertPresent(['python'], 'the KMS endpoint');
    progress('installing the KMS endpoint through pip (35 MB, once)');
    await run('python3', ['-m', 'venv', fresh]);
    await run(join(fresh, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '-r', REQUIREMENTS]);
  });
  return join(dir, 'bin', 'python');
}
