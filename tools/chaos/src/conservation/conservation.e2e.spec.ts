import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seeded } from '../scenario';
import { conserve } from './conservation';

// What `npm run chaos -- conservation --times 20` does, each thing killed once.
it('M2 no credit is lost or counted twice when each service, Kafka, Redis and Postgres are killed under load', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-conservation-'));
  const said: string[] = [];
  try {
    const outcome = await conserve({ directory, random: seeded(1), kills: 9, tenantsOfEachMode: 1, hasty: true, progress: (line) => said.push(line) });
    expect({ broken: outcome.invariants.filter(({ holds }) => !holds), said: outcome.invariants.every(({ holds }) => holds) ? [] : said }).toEqual({ broken: [], said: [] });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 240_000);
