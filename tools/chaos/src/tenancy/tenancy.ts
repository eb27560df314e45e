import type { Placement } from '@weir/tenancy';
import type { Scenario } from '../scenario';
import { EU, startGround } from './ground';
import { interleave } from './interleaving';
import { migrateThroughKills } from './migrating';
import { moveUnderLoad } from './moving';

/** Of `times`, in thousands: transactions; moves are a fifth as many, schemas ten times. */
export const tenancy: Scenario = {
  name: 'tenancy',
  title: 'R3 interleaved transactions, R9 a migrator killed, R10 moves under load, killed too; in thousands of transactions',
  times: 100,
  async run({ times, random, directory, progress }) {
    const ground = await startGround(directory);
    try {
      progress(`R10: ${Math.ceil(times / 5)} moves`);
      const places: Placement[] = [{ kind: 'schema' }, EU, { kind: 'pooled' }, EU];
      const moves = Array.from({ length: Math.ceil(times / 5) }, (_, i) => places[i % places.length] as Placement);
      const moved = await moveUnderLoad(ground, { moves, writers: 8, history: 5_000, kills: 0.5, random });
      progress(`R3: ${times},000 transactions`);
      const interleaved = await interleave(ground, { transactions: times * 1_000, tenants: 40, random });
      progress(`R9: ${times * 10} schemas`);
      const migrated = await migrateThroughKills(ground, { schemas: times * 10, kills: 3, random });
      return {
        invariants: [...moved.invariants, ...interleaved.invariants, ...migrated.invariants],
        figures: { ...moved.figures, ...interleaved.figures, ...migrated.figures },
      };
    } finally {
      await ground.close();
    }
  },
};
