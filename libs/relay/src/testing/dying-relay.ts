import { kafkaBus } from '@weir/bus';
import { createPool, unitOfWork } from '@weir/tenancy';
import { startRelay } from '../relay';

/** A relay in a process of its own that publishes and then never gets to mark it: url, brokers, prefix. Tells its parent what it published. */
async function main([url = '', brokers = '', prefix = '']: string[]): Promise<void> {
  const bus = kafkaBus({ brokers: brokers.split(','), clientId: 'dying-relay', prefix });
  startRelay({
    work: unitOfWork(createPool({ url, name: 'spec/dying-relay', max: 4 }), 'tenant-registry'),
    bus: {
      ...bus,
      publish: async (records) => {
        await bus.publish(records);
        process.send?.(records.map(({ headers }) => headers['ce_id']));
        await new Promise(() => undefined);
      },
    },
    onError: (error) => void process.stderr.write(`${error.stack}\n`),
    leaseMs: 1_000,
  });
}

void main(process.argv.slice(2));
