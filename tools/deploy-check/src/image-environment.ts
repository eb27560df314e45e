import { read } from './repository';

/** What the image sets for every process; a deployment adds to it. */
export function imageEnvironment(): Record<string, string> {
  const pairs = [...read('Dockerfile').matchAll(/^ENV (.+)$/gm)].flatMap(([, line]) => (line ?? '').split(/\s+/));
  return Object.fromEntries(pairs.map((pair) => pair.split('=', 2) as [string, string]));
}
