import { newId, type TenantId } from '@weir/kernel';
import { collectBundle, loginOf, prepareDatabase, provisioner, unitOfWork, MIGRATOR, type UnitOfWork } from '@weir/tenancy';
import { Client, Pool } from 'pg';

/** A fresh, prepared database of one spec, on the server that the run has started. */
export interface SpecDatabase {
  readonly admin: Pool;
  readonly work: UnitOfWork;
  urlOf(login: string): string;
  newTenant(): Promise<TenantId>;
  drop(): Promise<void>;
}

export async function openDatabase(name: string): Promise<SpecDatabase> {
  const server = process.env['WEIR_TEST_POSTGRES_URL'] ?? '';
  const database = `${name}_${process.pid}_${Date.now()}`;
  await onServer(server, `create database ${database}`);
  const url = (login?: string) => {
    const address = new URL(server);
    address.pathname = database;
    if (login !== undefined) address.username = login;
    return address.href;
  };
  await prepareDatabase(url(), collectBundle(), undefined);
  const admin = new Pool({ connectionString: url(), max: 2 });
  const migrator = new Pool({ connectionString: url(), max: 2, options: `-c role=${MIGRATOR}` });
  const own = new Pool({ connectionString: url(loginOf('metering')), max: 10 });
  return {
    admin,
    work: unitOfWork(own, 'metering'),
    urlOf: url,
    newTenant: async () => {
      const tenant = newId('ten');
      await provisioner(migrator, collectBundle()).provision(tenant, 'schema');
      return tenant;
    },
    drop: async () => {
      await Promise.all([admin.end(), migrator.end(), own.end()]);
      await onServer(server, `drop database ${database} with (force)`);
    },
  };
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(statement);
  await client.end();
}
