import { judged, skipped, type Outcome } from './check';
import { ROOT } from './repository';
import { find, run, trouble } from './tools';

const SECRETS = { POSTGRES_PASSWORD: 'given', WEIR_LOGIN_PASSWORD: 'given', WEIR_OPERATOR_TOKEN: 'given', WEIR_WEBHOOK_KEY: 'given' };

/** Compose itself reads the file: its schema, anchors, dependencies and interpolation. No engine is asked. */
export async function composeConfig(): Promise<Outcome> {
  const [command, before] = find('docker-compose') === undefined ? ['docker', ['compose']] : ['docker-compose', []];
  const version = find(command) === undefined ? undefined : await run(command, [...before, 'version']);
  if (version?.code !== 0) return skipped('no Docker Compose on this machine', 'apt-get install docker-compose-plugin, or go build of github.com/docker/compose/v2');

  const config = (env: Record<string, string>) => run(command, [...before, '-f', 'docker-compose.yml', '--env-file', '/dev/null', 'config', '--quiet'], { cwd: ROOT, env });
  const read = await config(SECRETS);
  const without = await config({ ...SECRETS, WEIR_LOGIN_PASSWORD: '' });
  return judged(
    [...(read.code === 0 ? [] : trouble('docker compose config', read)), ...(without.code === 0 ? ['compose starts without WEIR_LOGIN_PASSWORD'] : [])],
    'Compose reads it, and refuses it without its secrets; no container was started',
  );
}
