import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SERVICES, type ServiceName } from './names';

export interface Migration {
  /** `event-store/0001_log` */
  readonly id: string;
  readonly sql: string;
  readonly sha256: string;
  /** The control schema it runs in: `weir`, `weir_bus`, or a service's. Unset for tenant migrations. */
  readonly schema?: string;
}

/** A release's migrations, in the order in which they are applied. */
export interface Bundle {
  readonly control: readonly Migration[];
  readonly tenant: readonly Migration[];
}

// Libraries first and in this order: later ones use what earlier ones make.
const LIBRARIES = ['tenancy', 'event-store', 'relay', 'bus', 'subjects'];

/** Collects `{libs,services}/<name>/migrations/{control,bus,tenant}/NNNN_*.sql` below `root`: the repository, or its dist/. */
export function collectBundle(root: string = findRoot(__dirname)): Bundle {
  const projects = [
    ...LIBRARIES.map((name) => ({ name, dir: join(root, 'libs', name, 'migrations'), schema: 'weir' })),
    ...SERVICES.map((name) => ({ name, dir: join(root, 'services', name, 'migrations'), schema: `weir_${name.replaceAll('-', '_')}` })),
  ];
  return {
    control: projects.flatMap(({ name, dir, schema }) => [
      ...read(join(dir, 'control'), name, schema),
      ...read(join(dir, 'bus'), name, 'weir_bus'),
    ]),
    tenant: projects.flatMap(({ name, dir }) => read(join(dir, 'tenant'), name)),
  };
}

/** Ids of the tenant migrations that a service's code stands on: the libraries' and its own. */
export const neededBy = (service: ServiceName, bundle: Bundle): string[] =>
  bundle.tenant.map(({ id }) => id).filter((id) => [...LIBRARIES, service].includes(id.slice(0, id.indexOf('/'))));

function read(dir: string, project: string, schema?: string): Migration[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => {
      const sql = readFileSync(join(dir, file), 'utf8');
      const sha256 = createHash('sha256').update(sql).digest('hex');
      return { id: `${project}/${file.slice(0, -'.sql'.length)}`, sql, sha256, ...(schema === undefined ? {} : { schema }) };
    });
}

function findRoot(from: string): string {
  for (let dir = from; dirname(dir) !== dir; dir = dirname(dir)) {
    if (existsSync(join(dir, 'libs', 'tenancy', 'migrations'))) return dir;
  }
  throw new Error('the migrations are not beside the code: build first');
}
