import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seeded } from '../scenario';
import { brokers } from './brokers';

it('loses nothing acknowledged and keeps the order of each key when the leader of three brokers is killed, twice', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-chaos-brokers-'));
  const outcome = await brokers.run({ times: 2, seconds: 0, random: seeded(1), directory, progress: () => undefined });
  rmSync(directory, { recursive: true, force: true });
  expect(outcome.invariants.filter((one) => !one.holds)).toEqual([]);
  expect(outcome.figures['acknowledged']).toBeGreaterThan(1_000);
}, 240_000);
