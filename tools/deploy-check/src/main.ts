import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Check, Outcome } from './check';
import { edgeConfigs } from './edge';
import { ROOT } from './repository';
import { standingChecks } from './standing-checks';
import { toolChecks } from './tool-checks';

const HELP = `usage: npm run check:deploy [-- --write]

Checks Dockerfile, docker-compose.yml, k8s/ and terraform/ as far as this machine can without a container engine, a cluster or an AWS
account, and says how far. What lacks a tool is skipped, with the command that installs it. Exit code 1 when a check fails.

  --write   first writes the edge's configurations from the route table and the catalogs of k8s/components/further-upstreams
`;

const lines = (outcome: Outcome): string => {
  if (outcome.is === 'ok') return `ok       ${outcome.detail}`;
  if (outcome.is === 'skipped') return `skipped  ${outcome.why} (${outcome.install})`;
  return `FAILED   ${outcome.problems.join('\n    ')}`;
};

async function outcomeOf({ run }: Check): Promise<Outcome> {
  try {
    return await run();
  } catch (error) {
    return { is: 'failed', problems: [(error as Error).message] };
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const unknown = argv.find((argument) => argument !== '--write');
  if (unknown !== undefined) {
    process.stderr.write(HELP);
    return unknown === '--help' ? 0 : 2;
  }
  if (argv.includes('--write')) for (const [path, config] of edgeConfigs()) writeFileSync(join(ROOT, path), config);

  const counts = { ok: 0, skipped: 0, failed: 0 };
  for (const check of [...standingChecks, ...toolChecks()]) {
    const outcome = await outcomeOf(check);
    counts[outcome.is]++;
    process.stdout.write(`${check.name.padEnd(32)} ${lines(outcome)}\n`);
  }
  process.stdout.write(`${counts.ok} ok, ${counts.skipped} skipped, ${counts.failed} failed\n`);
  return counts.failed === 0 ? 0 : 1;
}

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
