import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seeded } from '../scenario';
import { brokerAway } from './broker-away';

it('E7 commands go on while the broker is away, the lag shows, and the drain keeps the order', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-chaos-away-'));
  const outcome = await brokerAway.run({ times: 1, seconds: 20, random: seeded(7), directory, progress: () => undefined });
  rmSync(directory, { recursive: true, force: true });
  expect(outcome.invariants.filter(({ holds }) => !holds)).toEqual([]);
}, 180_000);
