import type { Bench, Gate } from '../bench';
import { median } from '../measure';
import { openDatabase } from './database';
import { ingestingMany, ingestingOne } from './ingesting';
import { copying, saving } from './others';
import { plainTransactions } from './pgbench';

/** Records a batch, of every side. */
const BATCH = 2_000;
const FEW = 200;
const MANY = 5_000;
/** Transactions of a batch that the consumer does at once. */
const LANES = 4;

/** Counting each record once, beside what only stores it. */
export const metering: Bench = {
  name: 'metering',
  title: 'intake of usage: one tenant against a keyless COPY and TypeORM save(batch); batches over 200 and 5,000 schemas against pgbench',
  async open(ground) {
    const database = await openDatabase(ground);
    const copy = copying(database, BATCH);
    const save = saving(database, BATCH);
    const intake = ingestingOne(database, { batch: BATCH, against: copy.name });
    const [few, many] = [plainTransactions(database, ground.directory, FEW, LANES), plainTransactions(database, ground.directory, MANY, LANES)];
    // of the rounds' own ratios: what disturbs a round disturbs both of its sides
    const against = (other: string, atLeast: number): Gate => ({
      title: `${intake.name}: × ${other}`,
      value: (resultOf) => {
        const [one, two] = [resultOf(intake.name)?.rounds, resultOf(other)?.rounds];
        return one === undefined || two === undefined ? undefined : median(one.map(({ rate }, round) => rate / (two[round]?.rate ?? NaN)));
      },
      atLeast,
    });
    return {
      sides: [copy, save, intake, few, ingestingMany(database, { tenants: FEW, against: few.name }), many, ingestingMany(database, { tenants: MANY, against: many.name })],
      gates: [against(copy.name, 0.25), against(save.name, 8)],
      close: () => database.close(),
    };
  },
};
