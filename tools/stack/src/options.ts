import { parseArgs } from 'node:util';
import { SERVICES, type ServiceName } from '@weir/tenancy';
import { PARTS, type PartName } from './parts';

export interface StackOptions {
  readonly dataDir: string;
  /** undefined: everything. */
  readonly only: readonly PartName[] | undefined;
  readonly replicas: Partial<Record<ServiceName, number>>;
}

const MAX_REPLICAS = 20;

export const HELP = `weir stack: the distributed shape on this machine: Postgres, Kafka, Redis and a KMS endpoint, the upstream's simulator, a process per
service, an edge that routes by path. Writes <data dir>/stack.json. SIGINT and SIGTERM stop all of it; SIGHUP starts the services that are down.

  --replicas <service>=<n>   so many processes of a service; all=<n> for each; may be repeated (${SERVICES.join(', ')})
  --only <part>,…            the parts alone (${PARTS.join(', ')})
  --data-dir <directory>     where everything is kept [WEIR_DATA_DIR, default .weir]
  --help

From the environment: WEIR_PORT and WEIR_MANAGEMENT_PORT of the edge (default 8080 and 9090; 0 takes any free one), WEIR_OPERATOR_TOKEN (else one is
made), WEIR_UPSTREAM_URL (else the simulator), WEIR_DEMO=off (no demo tenants), WEIR_STACK_CACHE (where installed servers are kept, default .stack).
WEIR_POSTGRES_ADMIN_URL, WEIR_KAFKA_BROKERS, WEIR_REDIS_URL and AWS_ENDPOINT_URL name servers that are there already. Every other WEIR_…
reaches every service.`;

/** @returns the options, `help`, or what is wrong with what was given */
export function readOptions(argv: readonly string[], environment: Readonly<Record<string, string | undefined>>): StackOptions | 'help' | { readonly problem: string } {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        replicas: { type: 'string', multiple: true, default: [] },
        only: { type: 'string' },
        'data-dir': { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return 'help';
    return {
      dataDir: values['data-dir'] ?? (environment['WEIR_DATA_DIR'] || '.weir'),
      only: values.only === undefined ? undefined : partsOf(values.only),
      replicas: replicasOf(values.replicas.flatMap((list) => list.split(','))),
    };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

function partsOf(list: string): PartName[] {
  return list.split(',').map((name) => {
    if (!PARTS.includes(name as PartName)) throw new Error(`--only knows ${PARTS.join(', ')}, and not ${name}`);
    return name as PartName;
  });
}

function replicasOf(list: readonly string[]): Partial<Record<ServiceName, number>> {
  const replicas: Partial<Record<ServiceName, number>> = {};
  for (const item of list) {
    const [name = '', count = ''] = item.split('=');
    const n = /^\d{1,2}$/.test(count) ? Number(count) : 0;
    if (n < 1 || n > MAX_REPLICAS) throw new Error(`--replicas takes <service>=<1 to ${MAX_REPLICAS}>, and not ${item}`);
    if (name !== 'all' && !SERVICES.includes(name as ServiceName)) throw new Error(`--replicas knows all, ${SERVICES.join(', ')}, and not ${name}`);
    for (const service of name === 'all' ? SERVICES : [name as ServiceName]) replicas[service] = n;
  }
  return replicas;
}
