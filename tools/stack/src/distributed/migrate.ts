import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '@weir/kernel';
import type { Environment } from '../parts/part';

/** The registry's own command, as a deployment runs it: logins, schemas, migrations, topics. */
export async function migrate(codeDir: string, environment: Environment): Promise<void> {
  try {
    await promisify(execFile)(process.execPath, ['--disable-warning=TimeoutNegativeWarning', join(codeDir, 'services', 'tenant-registry', 'src', 'migrate.js')], {
      env: { ...environment } as NodeJS.ProcessEnv,
    });
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new AppError('migration-failed', 'internal', (stderr || message).trim().replace(/^weir: /, ''), { cause: error });
  }
}
